"""What the process as a whole does: importing, logging, the line at the start."""

from __future__ import annotations

import json
import logging
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from settings import Settings
from tests.frameworks import HEAVY
from web import __version__
from web.boot import ready_line
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


def test_the_version_is_the_project_s() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == __version__


def test_the_line_at_the_start_tries_a_real_photo_where_there_is_one(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path / "a folder")
    line = ready_line(settings, "0.0.0.0", 8000)
    assert "http://127.0.0.1:8000" in line
    command = shlex.split(line.partition("try: ")[2])
    assert command == ["curl", "-X", "POST", "http://127.0.0.1:8000/api/selftest"]
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
    of_photos = logging.makeLogRecord(
        {"name": "ml.models.faces", "levelname": "ERROR", "msg": "b", "exc_info": raised()}
    )
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
