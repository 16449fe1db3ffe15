"""The memory of the processes: what they hold, what they share, and what they return to the system.

See docs/decisions/0014-cost-of-measuring.md and 0016-imports-before-the-fork.md.
"""

from __future__ import annotations

import ctypes
import gc
import os
import re
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

from PIL import Image

from web.process import Memory

_PROC = Path("/proc")
_PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)
_ARENA_MAX = -8  # malloc.h

#: Arrow reads these when it is loaded. Its own allocator keeps megabytes in each process for a table of kilobytes, and
#: starts a thread to look after them.
ARROW_ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
#: Every worker needs these. They start no thread, under ARROW_ENVIRONMENT and that of the thread plan, and hold no
#: connection. The frameworks that run models are imported after the fork, and so is this service's own code beyond what
#: the boot needs: a reload (HUP) then runs the code that is there.
SHARED_LIBRARIES = (
    "flask",
    "flask_cors",
    "flask_limiter",
    "PIL.Image",
    "pillow_heif",
    "numpy",
    "cv2",
    "scipy",
    "skimage.draw",
    "pyarrow.compute",
    "pyarrow.parquet",
)


def import_shared_libraries() -> None:
    """Import what workers share the memory of. Call once, before the fork, in the process that forks."""
    for name in SHARED_LIBRARIES:
        import_module(name)
    Image.init()  # its formats are modules of their own
    gc.collect()
    # A worker's collector writes to each object that it looks at, and each page that is written to is copied.
    gc.freeze()


def use_one_heap() -> None:
    """Let all threads of this process, and of those it forks, allocate from one heap, where malloc is glibc's.

    Otherwise each thread has its own, and each keeps what a photo took. Call this before other threads allocate.
    """
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_ARENA_MAX, 1)


def release_memory() -> None:
    """Return the heap's free memory to the system. Takes some milliseconds."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    """The C library, where it is glibc."""
    libc = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None


def memory_of(pid: int) -> Memory | None:
    """What process ``pid`` holds; None if there is no such process, or it may not be looked at."""
    folder = _PROC / str(pid)
    try:
        resident = int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return Memory(resident, _proportional(folder / "smaps_rollup"))
    except OSError:
        return None


def _proportional(rollup: Path) -> int | None:
    """Proportional bytes; None where the kernel does not say."""
    try:
        found = _PSS.search(rollup.read_text())
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
