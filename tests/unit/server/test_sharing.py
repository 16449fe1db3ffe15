"""What is imported before the fork."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from server.allocator import ENVIRONMENT
from server.sharing import LIBRARIES
from server.threads import thread_environment
from settings import Settings
from tests.frameworks import HEAVY

ROOT = Path(__file__).resolve().parents[3]
_PROGRAM = """
import gc, json, os, sys
from server.sharing import import_libraries
import_libraries()
print(json.dumps({"frozen": gc.get_freeze_count(), "threads": len(os.listdir("/proc/self/task")),
                  "modules": list(sys.modules)}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted by Linux's /proc")
def test_the_libraries_are_there_without_a_thread_or_a_framework() -> None:
    command = [sys.executable, "-W", "error", "-c", _PROGRAM]
    environment = {**os.environ, **ENVIRONMENT, **thread_environment(Settings(intra_op_threads=1))}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert set(LIBRARIES) <= set(found["modules"])
    assert not (set(HEAVY) - {"pyarrow"}) & set(found["modules"])
    assert found["threads"] == 1
    assert found["frozen"] > 10_000
