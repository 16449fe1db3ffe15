"""The limit: the same core without any server. ``python -m benchmarks.peers.inprocess`` is one process of it.

It loads, says so in one line, and then answers each line on stdin (a Turn as JSON) with one on stdout.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.outcomes import Outcome, summarise
from benchmarks.service import ProcessGroup, ServerError

_READY = "ready"


@dataclass(frozen=True)
class Turn:
    """``threads`` answer photos from the moment ``start`` (the system's monotonic clock) on, for ``seconds``."""

    photos: Sequence[str]
    start: float
    seconds: float
    threads: int


class InProcess:
    """``processes`` that each load the core once and run it in ``threads`` threads."""

    def __init__(self, processes: int, threads: int, environment: Mapping[str, str], log: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.peers.inprocess"]
        self.threads = threads
        self.groups = [
            ProcessGroup(command, environment, log.with_suffix(f".{number}.log"), pipe=True)
            for number in range(processes)
        ]

    def wait_ready(self) -> None:
        """Raises ServerError if a process did not load."""
        for group in self.groups:
            if _line(group) != _READY:
                raise ServerError(f"the core did not load: see {group.log}")

    def measure(self, photos: Sequence[str], seconds: float, *, lone: bool = False) -> dict[str, Any]:
        """Everything at once, or, with ``lone``, one thread of one process. The summary, and the CPU it took."""
        groups = self.groups[:1] if lone else self.groups
        turn = Turn(photos, time.monotonic() + 0.1, seconds, 1 if lone else self.threads)
        before = sum(group.cpu_seconds() for group in groups)
        for group in groups:
            assert group.process.stdin is not None
            group.process.stdin.write(json.dumps(asdict(turn)) + "\n")
            group.process.stdin.flush()
        outcomes = [Outcome(due, latency, 200) for group in groups for due, latency in json.loads(_line(group))]
        used = sum(group.cpu_seconds() for group in groups) - before
        summary = summarise(outcomes, begin=min(1.0, seconds / 4), end=seconds, by_completion=True)
        return {
            **summary,
            "ok_total": len(outcomes),
            "cpu_s_per_photo": used / max(1, len(outcomes)),
            "load_average": os.getloadavg()[0],
        }

    def answers(self, photos: Sequence[str]) -> list[dict[str, Any]]:
        """The core's answer to each photo: what every server must answer."""
        group = self.groups[0]
        assert group.process.stdin is not None
        group.process.stdin.write(json.dumps({"answer": list(photos)}) + "\n")
        group.process.stdin.flush()
        found: list[dict[str, Any]] = json.loads(_line(group))
        return found

    def pss_bytes(self) -> int:
        return sum(group.pss_bytes() for group in self.groups)

    def stop(self) -> None:
        for group in self.groups:
            group.stop()


def _line(group: ProcessGroup) -> str:
    assert group.process.stdout is not None
    line = group.process.stdout.readline().strip()
    if not line:
        raise ServerError(f"the in-process core ended: see {group.log}")
    return line


def main() -> None:
    from benchmarks.peers.core import Core

    core = Core.load()
    print(_READY, flush=True)
    for line in sys.stdin:
        wanted = json.loads(line)
        if "answer" in wanted:
            found: object = [json.loads(core.answer(Path(photo).read_bytes())) for photo in wanted["answer"]]
        else:
            found = _take_turn(core.answer, Turn(**wanted))
        print(json.dumps(found), flush=True)


def _take_turn(answer: Any, turn: Turn) -> list[tuple[float, float]]:
    """(start, duration) of each photo, in seconds from ``turn.start``."""
    photos = [Path(photo).read_bytes() for photo in turn.photos]
    done: list[tuple[float, float]] = []

    def work(number: int) -> None:
        time.sleep(max(0.0, turn.start - time.monotonic()))
        while (begun := time.monotonic() - turn.start) < turn.seconds:
            answer(photos[number % len(photos)])
            done.append((begun, time.monotonic() - turn.start - begun))
            number += 1

    threads = [threading.Thread(target=work, args=(first,)) for first in range(turn.threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


if __name__ == "__main__":
    main()
