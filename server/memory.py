"""Memory of the processes: how much they use, what they share, and when they return it to the system.

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

#: Environment variables for Arrow, to set before it is imported. Its default allocator keeps megabytes in each process
#: for a table of kilobytes, and starts a thread.
ARROW_ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
#: Libraries that every worker needs and that are safe to import before the fork: with ARROW_ENVIRONMENT and the
#: environment of the thread plan they start no thread, and they open no connection. ML frameworks are imported after
#: the fork. The service's own code is too, apart from the boot checks, so that a reload (HUP) loads the current code.
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
    """Import the libraries whose memory workers share. The arbiter calls this once, before it forks."""
    for name in SHARED_LIBRARIES:
        import_module(name)
    Image.init()  # imports the modules of the image formats
    gc.collect()
    # Otherwise the garbage collector of each worker writes to these objects, and each written page is copied.
    gc.freeze()


def use_one_heap() -> None:
    """Make all threads of this process and of its children allocate from one heap. Only glibc supports this.

    Otherwise each thread has its own heap, and each heap keeps the memory of a large photo. Call this before other
    threads allocate memory.
    """
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_ARENA_MAX, 1)


def release_memory() -> None:
    """Return the heap's free memory to the system, where malloc is glibc's. Takes some milliseconds."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    """The C library, or None if it is not glibc."""
    libc = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None


def memory_of(pid: int) -> Memory | None:
    """The memory of process ``pid``. None if there is no such process, or if it may not be read."""
    folder = _PROC / str(pid)
    try:
        resident = int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return Memory(resident, _proportional(folder / "smaps_rollup"))
    except OSError:
        return None


def _proportional(rollup: Path) -> int | None:
    """Proportional set size in bytes. None if the kernel does not report it."""
    try:
        found = _PSS.search(rollup.read_text())
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
