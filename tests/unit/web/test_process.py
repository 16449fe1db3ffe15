"""What the process as a whole does: importing, logging, the line at the start, gunicorn's configuration."""

from __future__ import annotations

import json
import logging
import os
import shlex
import subprocess
import sys
import tomllib
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config

from settings import Settings
from tests.frameworks import HEAVY
from web import __version__
from web.access_log import GunicornLogger
from web.announce import ready_line
from web.logs import JsonFormatter, configure_logging, log_event, request_id

ROOT = Path(__file__).resolve().parents[3]


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("module", ["application", "web.boot"])
def test_importing_loads_no_framework(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = python(code)
    assert done.stdout.strip().splitlines()[-1:] == ["[]"], done.stderr


def test_importing_the_application_starts_no_thread() -> None:
    assert python("import threading, application; print(threading.active_count())").stdout.strip() == "1"


def test_a_bad_setting_ends_the_process_with_one_line() -> None:
    done = python("import application", MAX_WORKERS="many")
    assert done.returncode == 2
    assert done.stderr == "dermserve: MAX_WORKERS=many: allowed is a whole number from 1 to 256.\n"


CONFIGURATION = """
import json, os, runpy
found = runpy.run_path("gunicorn.conf.py")
names = ("bind workers threads worker_class timeout graceful_timeout preload_app control_socket_disable "
         "keepalive max_requests max_requests_jitter").split()
print(json.dumps({**{name: found[name] for name in names}, "omp": os.environ["OMP_NUM_THREADS"],
                  "wait": os.environ["OMP_WAIT_POLICY"]}))
"""


def test_gunicorn_is_configured_as_specified() -> None:
    names = dict.fromkeys(Settings.environment_names(), "")
    found = json.loads(python(CONFIGURATION, **names).stdout)
    assert found | {"omp": None} == {
        "bind": "127.0.0.1:8000",
        "workers": 2,
        "threads": 8,
        "worker_class": "web.worker.DrainingWorker",
        "timeout": 300,
        "graceful_timeout": 305,
        "preload_app": False,
        "control_socket_disable": True,
        "keepalive": 75,
        "max_requests": 0,
        "max_requests_jitter": 0,
        "omp": None,
        "wait": "PASSIVE",
    }
    assert int(found["omp"]) >= 1


def test_gunicorn_follows_the_settings() -> None:
    changes = {
        "HOST": "::",
        "PORT": "9",
        "GUNICORN_WORKERS": "3",
        "GUNICORN_THREADS": "5",
        "GUNICORN_TIMEOUT": "77",
        "DERMSERVE_MAX_REQUESTS": "1000",
        "DERMSERVE_INTRA_OP_THREADS": "2",
    }
    found = json.loads(python(CONFIGURATION, **changes).stdout)
    assert (found["bind"], found["workers"], found["threads"], found["timeout"]) == ("[::]:9", 3, 5, 77)
    assert (found["max_requests"], found["max_requests_jitter"], found["omp"]) == (1000, 100, "2")


NUMBERS = """
import os, runpy
from types import SimpleNamespace
from typing import Any
found = runpy.run_path("gunicorn.conf.py")
server = SimpleNamespace(WORKERS={})
def fork(pid):
    worker = SimpleNamespace()
    found["pre_fork"](server, worker)
    found["post_fork"](server, worker)
    server.WORKERS[pid] = worker
    return os.environ["DERMSERVE_WORKER"]
numbers = [fork(10), fork(11), fork(12)]
del server.WORKERS[11]
print(numbers, fork(13), fork(14))
"""


def test_a_new_worker_takes_the_number_of_a_dead_one() -> None:
    assert python(NUMBERS).stdout.strip().splitlines()[-1] == "['0', '1', '2'] 1 3"


def test_the_procfile_starts_what_is_here() -> None:
    assert (ROOT / "Procfile").read_text() == "web: gunicorn --config gunicorn.conf.py application:application\n"


def test_the_version_is_the_project_s() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == __version__


def test_the_line_at_the_start_tries_a_real_photo_where_there_is_one(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path / "a folder")
    line = ready_line(settings, "0.0.0.0", 8000)
    assert "http://127.0.0.1:8000" in line
    command = shlex.split(line.partition("try: ")[2])
    assert json.loads(command[command.index("-d") + 1]) == {"test": "ml_capability"}
    photos = settings.var / "sample" / "dataset" / "images"
    photos.mkdir(parents=True)
    for name in ("2.png", "1.png"):
        (photos / name).touch()
    command = shlex.split(ready_line(settings, "::", 80).partition("try: ")[2])
    assert command == [
        "curl",
        "-F",
        "modality=close_up",
        "-F",
        f"image=@{photos / '1.png'}",
        "http://[::1]:80/api/analyze/skin",
    ]


def test_a_log_line_is_one_json_object() -> None:
    record = logging.makeLogRecord(
        {"name": "n", "levelname": "INFO", "msg": "two\nlines", "fields": {"status": 200, "path": Path("/x")}}
    )
    token = request_id.set("r1")
    try:
        text = JsonFormatter().format(record)
    finally:
        request_id.reset(token)
    line = json.loads(text)
    assert "\n" not in text
    assert (line["event"], line["status"], line["path"], line["request_id"]) == ("two\nlines", 200, "/x", "r1")


def test_a_cause_is_written_into_the_same_line(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        for _ in range(2):  # again: no line is written twice
            configure_logging("INFO")
        try:
            raise ValueError("why")
        except ValueError as error:
            log_event(logging.getLogger("x"), "failed", exc_info=error, code=1)
    finally:
        root.handlers, root.level = before, level
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["code"] == 1
    assert "ValueError: why" in json.loads(line)["exception"]


def test_the_access_line_leaves_out_query_and_client(caplog: pytest.LogCaptureFixture) -> None:
    logger = GunicornLogger(Config())
    response = SimpleNamespace(status="200 OK", sent=12, headers=[("X-Request-ID", "r1")])
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/health",
        "QUERY_STRING": "secret=1",
        "RAW_URI": "/health?secret=1",
        "REMOTE_ADDR": "192.0.2.1",
        "HTTP_USER_AGENT": "agent",
    }
    with caplog.at_level(logging.INFO):
        logger.access(response, None, environ, timedelta(milliseconds=7))
    (record,) = [record for record in caplog.records if record.name == "dermserve.access"]
    assert record.fields == {
        "method": "GET",
        "path": "/health",
        "status": 200,
        "bytes": 12,
        "ms": 7.0,
        "request_id": "r1",
    }


def test_while_a_request_is_handled_an_errors_text_stays_out_of_the_log() -> None:
    def raised() -> tuple[type[BaseException], BaseException, Any]:
        try:
            try:
                raise KeyError("a photo's bytes")
            except KeyError as cause:
                raise ValueError("a person's name") from cause
        except ValueError as error:
            return type(error), error, error.__traceback__

    record = logging.makeLogRecord({"name": "n", "levelname": "ERROR", "msg": "error", "exc_info": raised()})
    of_photos = logging.makeLogRecord({"name": "ml.faces", "levelname": "ERROR", "msg": "b", "exc_info": raised()})
    token = request_id.set("r1")
    try:
        in_request = json.loads(JsonFormatter().format(record))["exception"]
    finally:
        request_id.reset(token)
    beside_it = json.loads(JsonFormatter().format(of_photos))["exception"]
    for told in (in_request, beside_it):
        assert "photo" not in told
        assert "person" not in told
        assert told.index("builtins.KeyError") < told.index("builtins.ValueError")
        assert "test_process.py:" in told
    assert "ValueError: a person's name" in json.loads(JsonFormatter().format(record))["exception"]


def test_gunicorns_own_lines_quote_no_request(caplog: pytest.LogCaptureFixture) -> None:
    logger = GunicornLogger(Config())
    with caplog.at_level(logging.INFO):
        logger.exception("Error handling request %s %s", "POST", "/api/analyze/skin?secret=1")
    (record,) = caplog.records
    assert record.getMessage() == "Error handling request POST /api/analyze/skin"
