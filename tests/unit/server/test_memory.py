"""The memory of the processes: that of photos goes back to the system, and that of libraries is shared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from server.memory import ARROW_ENVIRONMENT, SHARED_LIBRARIES, memory_of
from server.threads import thread_environment
from settings import Settings
from tests.frameworks import HEAVY

ROOT = Path(__file__).resolve().parents[3]
linux_alone = pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc and /proc are Linux's")


def output_of(program: str, *arguments: str, **environment: str) -> str:
    """What a process of its own prints; a warning fails it."""
    command = [sys.executable, "-W", "error", "-c", program, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_process_s_memory_is_the_kernel_s() -> None:
    own = memory_of(os.getpid())
    assert own is not None
    assert own.proportional is not None
    assert 2**20 < own.proportional <= own.resident * 1.1
    assert memory_of(2**22 + 1) is None  # above the kernel's largest process id


#: allocates in several threads at once, then prints what glibc says of its heaps
_HEAPS = """
import ctypes, sys, threading
from server.memory import use_one_heap

if sys.argv[1] == "one":
    use_one_heap()
together, kept = threading.Barrier(3), []

def allocate():
    together.wait()
    kept.append([bytearray(60_000) for _ in range(20)])
    together.wait()

threads = [threading.Thread(target=allocate) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, out)
libc.fclose(out)
"""


@linux_alone
def test_threads_share_one_heap() -> None:
    assert output_of(_HEAPS, "one").count("<heap ") == 1
    assert output_of(_HEAPS, "left alone").count("<heap ") > 1


#: frees many small buffers below ones that stay, which no threshold returns; then returns them
_RETURNED_MIB = """
from server.memory import release_memory, use_one_heap

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4 / 1024

use_one_heap()
buffers = [bytearray(b"x") * 100_000 for _ in range(400)]
stays = buffers[9::10]
del buffers
before = resident()
release_memory()
print(before - resident())
"""


@linux_alone
def test_what_the_heap_keeps_for_a_next_photo_can_be_returned() -> None:
    assert float(output_of(_RETURNED_MIB)) > 30


_IMPORTED = """
import gc, json, os, sys
from server.memory import import_shared_libraries
import_shared_libraries()
print(json.dumps({"frozen": gc.get_freeze_count(), "threads": len(os.listdir("/proc/self/task")),
                  "modules": list(sys.modules)}))
"""


@linux_alone
def test_the_shared_libraries_start_no_thread_and_import_no_framework() -> None:
    environment = {**ARROW_ENVIRONMENT, **thread_environment(Settings(intra_op_threads=1))}
    found = json.loads(output_of(_IMPORTED, **environment))
    assert set(SHARED_LIBRARIES) <= set(found["modules"])
    assert not (set(HEAVY) - {"pyarrow"}) & set(found["modules"])
    assert found["threads"] == 1
    assert found["frozen"] > 10_000
