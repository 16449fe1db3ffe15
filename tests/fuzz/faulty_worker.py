"""The worker with a decoder that does what DERMSERVE_FUZZ_FAULT says."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

from tests.fuzz import worker


def misbehave(data: bytes) -> NoReturn:
    fault = os.environ["DERMSERVE_FUZZ_FAULT"]
    while fault == "compute":
        pass
    if fault == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    kept = bytes(b"x" * (100 << 20)) if fault == "grow" else b""
    if fault == "raise":
        raise ZeroDivisionError(len(kept))
    raise worker.ImageError("refused")


worker.decode = misbehave
worker.main()
