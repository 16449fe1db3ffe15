"""gunicorn's configuration: what it says, and that the platform starts the service with it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from settings import Settings

ROOT = Path(__file__).resolve().parents[3]

CONFIGURATION = """
import json, os, runpy
found = runpy.run_path("gunicorn.conf.py")
names = ("bind workers threads worker_class timeout graceful_timeout preload_app control_socket_disable "
         "keepalive max_requests max_requests_jitter").split()
print(json.dumps({**{name: found[name] for name in names}, "omp": os.environ["OMP_NUM_THREADS"],
                  "wait": os.environ["OMP_WAIT_POLICY"], "tasks": len(os.listdir("/proc/self/task"))}))
"""


def configuration(**environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", CONFIGURATION],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_gunicorn_is_configured_as_specified() -> None:
    names = dict.fromkeys(Settings.environment_names(), "")
    found = configuration(**names)
    assert found | {"omp": None, "tasks": None} == {
        "bind": "127.0.0.1:8000",
        "workers": 2,
        "threads": 8,
        "worker_class": "server.worker.DrainingWorker",
        "timeout": 300,
        "graceful_timeout": 305,
        "preload_app": False,
        "control_socket_disable": True,
        "keepalive": 75,
        "max_requests": 0,
        "max_requests_jitter": 0,
        "omp": None,
        "tasks": None,
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
    found = configuration(**changes)
    assert (found["bind"], found["workers"], found["threads"], found["timeout"]) == ("[::]:9", 3, 5, 77)
    assert (found["max_requests"], found["max_requests_jitter"], found["omp"]) == (1000, 100, "2")


def test_the_configuration_itself_starts_no_thread() -> None:
    """A thread that runs when a worker is forked may leave it a lock that nobody opens."""
    assert configuration(DERMSERVE_INTRA_OP_THREADS="1", OMP_NUM_THREADS="4", OPENBLAS_NUM_THREADS="4")["tasks"] == 1


def test_the_configuration_uses_little_of_the_application() -> None:
    """import-linter holds rooms to what they may import, but cannot read a file with a dot in its name."""
    statements = ast.walk(ast.parse((ROOT / "gunicorn.conf.py").read_text()))
    imported = {
        f"{one.module}.{name.name}" for one in statements if isinstance(one, ast.ImportFrom) for name in one.names
    }
    ours = {name for name in imported if name.split(".")[0] in ("web", "ml", "scin", "storage")}
    assert ours == {
        "web.boot.BootError",
        "web.boot.announce",
        "web.boot.begin_generation",
        "web.logs.configure_logging",
        "web.logs.log_event",
        "web.metrics",
    }


def test_the_procfile_starts_what_is_here() -> None:
    assert (ROOT / "Procfile").read_text() == "web: gunicorn --config gunicorn.conf.py application:application\n"
