"""glibc's malloc, configured for large photos. See docs/decisions/0014-cost-of-measuring.md."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # malloc.h
_MIB = 1 << 20

#: buffers of at least this size go back to the system as soon as they are freed: a large photo's pixels
_RETURNED = 16 * _MIB
#: free memory that the heap may keep, so that the next photo need not ask for each page again
_KEPT = 64 * _MIB
#: for all threads of a process: each heap would keep memory of its own
_HEAPS = 1
#: Read by Arrow when it is loaded. Its own allocator keeps megabytes in each process for a table of kilobytes, and
#: starts a thread to look after them.
ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}


def configure() -> bool:
    """Set the thresholds for this process and those it forks; False where malloc is not glibc's.

    Left alone, glibc raises its thresholds with what is freed: one 40-megapixel HEIC then keeps 200 MB for good.
    Must come before other threads allocate.
    """
    wanted = ((_MMAP_THRESHOLD, _RETURNED), (_TRIM_THRESHOLD, _KEPT), (_ARENA_MAX, _HEAPS))
    libc = _glibc()
    return libc is not None and all(libc.mallopt(option, value) == 1 for option, value in wanted)


def release() -> None:
    """Return free memory of the heap to the system. Takes some milliseconds."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    """The C library, where it is glibc."""
    libc = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
