"""The memory of photos goes back to the system: a large one's at once, the rest when none has come for a while."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: frees a large buffer, which teaches glibc to keep the next one; then frees another below one that stays
_KEPT_MIB = """
import sys
from server.allocator import configure

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4 / 1024

if sys.argv[1] == "configured":
    assert configure()
before = resident()
first = bytearray(b"x") * (20 << 20)
del first
second = bytearray(b"x") * (20 << 20)
stays = [bytearray(b"x") * 100_000 for _ in range(20)]
del second
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc is Linux's")
@pytest.mark.parametrize(("how", "returned"), [("configured", True), ("untouched", False)])
def test_a_freed_photo_is_given_back(how: str, returned: bool) -> None:
    command = [sys.executable, "-c", _KEPT_MIB, how]
    kept = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (kept < 10) is returned


#: frees many small buffers below ones that stay, which no threshold returns; then gives them back
_GIVEN_BACK_MIB = """
from server.allocator import release, configure

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4 / 1024

assert configure()
buffers = [bytearray(b"x") * 100_000 for _ in range(400)]
stays = buffers[9::10]
del buffers
before = resident()
release()
print(before - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc is Linux's")
def test_what_is_kept_for_a_next_photo_can_be_given_back() -> None:
    command = [sys.executable, "-c", _GIVEN_BACK_MIB]
    assert float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) > 30
