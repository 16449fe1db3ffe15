"""Passes inputs to the worker process, and reports what killed it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import Any

from tests.fuzz.worker import CPU_LIMIT_S

#: for a worker that is stuck without computing; far more than CPU_LIMIT_S takes on a busy machine
_STUCK_S = 120.0
#: for the largest photo that is allowed; an AVIF of 64 megapixels was measured to need 561, as Pillow decodes it
MEMORY_MIB = 650.0


@dataclass
class Guarded:
    """A worker that is started again after it has died. ``outcomes`` counts how inputs ended."""

    module: str = "tests.fuzz.worker"
    memory_mib: float = MEMORY_MIB
    outcomes: dict[str, int] = field(default_factory=dict)
    most_cpu_s: float = 0.0
    most_mib: float = 0.0
    _process: subprocess.Popen[bytes] | None = None

    def check(self, kind: str, data: bytes, content_type: str = "", piece: int = 2**20) -> dict[str, Any]:
        """What became of one input. Fails where that is not what is documented."""
        outcome = self._ask(kind, data, content_type, piece)
        assert "unexpected" not in outcome, outcome["trace"]
        assert outcome["mib"] < self.memory_mib, f"{outcome['mib']:.0f} MiB for {len(data)} bytes"
        ended = str(outcome["ended"])
        self.outcomes[ended] = self.outcomes.get(ended, 0) + 1
        self.most_cpu_s = max(self.most_cpu_s, outcome["cpu_s"])
        self.most_mib = max(self.most_mib, outcome["mib"])
        return outcome

    def _ask(self, kind: str, data: bytes, content_type: str, piece: int) -> dict[str, Any]:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        order = {"kind": kind, "length": len(data), "content_type": content_type, "piece": piece}
        alarm = threading.Timer(_STUCK_S, process.kill)
        alarm.start()
        try:
            process.stdin.write(json.dumps(order).encode() + b"\n" + data)
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        finally:
            alarm.cancel()
        if not line:
            raise AssertionError(_death(process.wait()))
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            command = [sys.executable, "-m", self.module]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        return self._process

    def close(self) -> None:
        """End the worker."""
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process.wait(timeout=_STUCK_S)
            self._process = None


def _death(status: int) -> str:
    if status == -signal.SIGPROF:
        return f"it computed for more than {CPU_LIMIT_S:g} s"
    if status == -signal.SIGKILL:
        return f"it was stuck for {_STUCK_S:g} s without computing"
    return f"it crashed the process: status {status}"
