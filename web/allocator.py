"""glibc's malloc, told how large photos' buffers are. See docs/decisions/0014-cost-of-measuring.md."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # malloc.h
_MIB = 1 << 20

#: buffers of at least this size go back to the system as soon as they are freed: a large photo's pixels
_RETURNED = 8 * _MIB
#: what a thread's heap may keep for the next analysis, which then need not ask for each page again
_KEPT = 16 * _MIB
#: heaps that all threads of a process share: each keeps memory of its own
_HEAPS = 2
#: read by Arrow when it is loaded: its own allocator keeps megabytes in each process for a table of kilobytes
ENVIRONMENT = {"ARROW_DEFAULT_MEMORY_POOL": "system"}


def settle() -> bool:
    """Set the thresholds for this process and those it forks; False where malloc is not glibc's.

    Left alone, glibc raises its thresholds with what is freed: one 40-megapixel HEIC then keeps 200 MB for good.
    Must come before other threads allocate.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    wanted = ((_MMAP_THRESHOLD, _RETURNED), (_TRIM_THRESHOLD, _KEPT), (_ARENA_MAX, _HEAPS))
    return all(mallopt(option, value) == 1 for option, value in wanted)
