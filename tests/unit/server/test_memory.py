from __future__ import annotations

import os

from server.memory import memory_of


def test_a_process_s_memory_is_the_kernel_s() -> None:
    own = memory_of(os.getpid())
    assert own is not None
    assert own.proportional is not None
    assert 2**20 < own.proportional <= own.resident * 1.1
    assert memory_of(2**22 + 1) is None  # above the kernel's largest process id
