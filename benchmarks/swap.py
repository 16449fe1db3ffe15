"""``python -m benchmarks.swap URL COMMAND…``: what a client notices while ``COMMAND``, such as ``make scin``, runs.

Sends photos at a fixed rate until the command ends, each in its own thread, so that a slow answer delays no request.
Prints the number of requests and of each status, the requests without an answer, the latency with each index, and the
indexes in the order of their first answers.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import numpy as np
import requests

#: seconds before and after the command
_MARGIN_S = 10.0


@dataclass
class Answers:
    """``answered``: (index, seconds) of each answer with status 200, in the order of the requests' ends."""

    statuses: Counter[int] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    answered: list[tuple[str, float]] = field(default_factory=list)

    def ask(self, url: str, photo: bytes) -> None:
        started = time.perf_counter()
        try:
            answer = requests.post(f"{url}/api/analyze/skin", files={"image": photo}, timeout=300)
        except requests.RequestException as error:
            self.lost.append(repr(error))
            return
        self.statuses[answer.status_code] += 1
        if answer.ok:
            index = answer.json()["index"]
            self.answered.append((f"{index['name']}, {index['cases']} cases", time.perf_counter() - started))

    def print(self) -> None:
        total = sum(self.statuses.values()) + len(self.lost)
        print(f"{total} requests, by status: {dict(self.statuses)}, without an answer: {len(self.lost)}")
        by_index: dict[str, list[float]] = {}
        for index, seconds in self.answered:
            by_index.setdefault(index, []).append(seconds)
        for name, taken in {"all": [seconds for _, seconds in self.answered], **by_index}.items():
            p50, p99 = np.percentile(taken, [50, 99])
            print(f"  {name}: {len(taken)} answers, p50 {p50:.2f} s, p99 {p99:.2f} s, longest {max(taken):.2f} s")


def main(arguments: list[str] | None = None) -> int:
    """Returns 1 if a request was lost or the command failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.swap", description=__doc__)
    parser.add_argument("url", help="of the running service")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    parser.add_argument("--photos", type=Path, default=Path("var/sample/dataset/images"), help="a folder")
    parser.add_argument("--rate", type=float, default=2.0, help="requests per second")
    options = parser.parse_args(arguments)
    photos = [path.read_bytes() for path in sorted(options.photos.iterdir())[:20]]
    answers, ended, threads = Answers(), threading.Event(), []

    def send() -> None:
        for photo in cycle(photos):
            if ended.wait(1 / options.rate):
                return
            threads.append(threading.Thread(target=answers.ask, args=(options.url, photo)))
            threads[-1].start()

    clock = threading.Thread(target=send)
    clock.start()
    time.sleep(_MARGIN_S)
    status = subprocess.run(options.command, check=False).returncode
    time.sleep(_MARGIN_S)
    ended.set()
    for thread in (clock, *threads):
        thread.join()
    answers.print()
    return int(bool(status or answers.lost or set(answers.statuses) != {200}))


if __name__ == "__main__":
    sys.exit(main())
