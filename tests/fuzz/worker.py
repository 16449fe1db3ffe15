"""A process that decodes and parses its inputs; the kernel ends it when one takes too long.

For each input: a line of JSON (kind, bytes to come, content type) and the bytes on standard input; a line of JSON with
the outcome on standard output.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from ml.errors import ImageError
from ml.imaging.decode import decode
from web.errors import STATUS, RequestError, failure_of
from web.requests import AnalyzeRequest, parse

#: CPU seconds for one input, of all threads: the kernel then ends the process, in whatever library it is
CPU_LIMIT_S = 2.0
_MEMORY_LIMIT = 4 << 30


class Pieces:
    """A body that arrives in pieces of at most ``size`` bytes: the server's reader gathers what comes by the byte."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data, self._size, self._at = data, size, 0

    def read(self, size: int) -> bytes:
        piece = self._data[self._at : self._at + min(size, self._size)]
        self._at += len(piece)
        return piece


def attempt(kind: str, data: bytes, content_type: str, piece: int) -> str:
    """Handle one input as the service does. Returns how it ended; raises only what the service must not raise."""
    try:
        if kind == "decode":
            images: tuple[bytes, ...] = (data,)
        else:
            found = parse(Pieces(data, max(piece, len(data) >> 13)), content_type, {})
            images = found.images if isinstance(found, AnalyzeRequest) else ()
        for image in images:
            photo = decode(image)
            if photo.rgb.ndim != 3 or photo.rgb.shape[2] != 3 or max(photo.rgb.shape) > 2048:
                raise AssertionError(f"not a working copy: {photo.rgb.shape}")
    except (ImageError, RequestError) as error:
        if type(error) not in STATUS or not 400 <= failure_of(error).status < 500:
            raise
        return type(error).__name__
    return "photo" if images else "no photo"


def measured(order: dict[str, Any], data: bytes) -> dict[str, Any]:
    """The outcome, CPU seconds, and how far the resident memory rose above where it was, in MiB."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew: man 5 proc
    before, started = _memory_mib("VmRSS"), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, CPU_LIMIT_S)
    try:
        outcome: dict[str, Any] = {"ended": attempt(order["kind"], data, order["content_type"], order["piece"])}
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        outcome = {"unexpected": repr(error), "trace": "".join(traceback.format_exception(error)[-6:])}
    signal.setitimer(signal.ITIMER_PROF, 0)
    return {**outcome, "cpu_s": time.process_time() - started, "mib": _memory_mib("VmHWM") - before}


def _memory_mib(name: str) -> float:
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(name))) / 1024


def main() -> None:
    """Until standard input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT, _MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for line in sys.stdin.buffer:
        order = json.loads(line)
        outcome = measured(order, sys.stdin.buffer.read(order["length"]))
        sys.stdout.write(json.dumps(outcome) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
