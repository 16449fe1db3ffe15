"""``python -m benchmarks.abuse``: does an honest client get its analysis while others misbehave?

The real service behind the real nginx, for a minute: wrong keys three times a second, each with a whole photo; fifty
uploads of one byte a second; and bodies of 100 MB, one after the other, from somebody who has a right key. The honest
client sends a photo every second and waits as it is told to. Prints the median and the longest time until it had its
analysis, retries included; fails if one took more than 5 s.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from benchmarks.load import (
    ANALYZE,
    Client,
    ConnectionPool,
    closed_loop,
    in_background,
    post,
    request_head,
    slow_clients,
)
from benchmarks.outcomes import Outcome, Tally
from benchmarks.photos import make_photo
from benchmarks.service import ROOT, answers, free_port, service
from deploy.proxy import stage_proxy

KEY, OTHER_KEY = "an-honest-client-s-key", "a-careless-client-s-key"
_SLOW_UPLOADS = 50
_WRONG_KEYS_EVERY_S = 1 / 3
_LARGE_BYTES = 100 * 2**20
_MOST_S = 5.0
_START_S = 60.0


@dataclass
class Report:
    """What became of the requests of the honest client, of those with wrong keys, and of the large ones."""

    honest: Tally = field(default_factory=Tally)
    wrong_keys: Tally = field(default_factory=Tally)
    large: Tally = field(default_factory=Tally)

    @property
    def took_s(self) -> list[float]:
        """Seconds until the honest client had each analysis, retries included."""
        return waits(self.honest.outcomes)

    def lines(self) -> list[str]:
        """What is printed."""
        took = self.took_s
        return [
            f"{_SLOW_UPLOADS} slow uploads; wrong keys: {_counts(self.wrong_keys)}; 100 MB: {_counts(self.large)}",
            f"honest client: {_counts(self.honest)}",
            f"time until the analysis, retries included: median {median(took):.2f} s, "
            f"longest {max(took):.2f} s of {len(took)}",
        ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.abuse", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, guarded_service(Path(folder)) as url:
        report = abuse(url, options.seconds)
    for line in report.lines():
        print(line)
    return int(max(report.took_s) > _MOST_S)


@contextmanager
def guarded_service(folder: Path, nginx: str = "") -> Iterator[str]:
    """The service with two keys behind nginx; yields nginx's address."""
    nginx = nginx or shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or "nginx"
    with service({"DERMSERVE_API_KEYS": f"{KEY},{OTHER_KEY}", "DERMSERVE_PROXIES": "1"}, folder=folder) as running:
        url = f"http://127.0.0.1:{free_port()}"
        conf = stage_proxy(folder, ROOT, listen=_port(url), upstream=_port(running.url))
        proxy = subprocess.Popen([nginx, "-c", str(conf), "-p", str(conf.parent), "-g", "daemon off;"])
        try:
            end = time.monotonic() + _START_S
            while not answers(f"{url}/health"):
                if time.monotonic() > end:
                    raise TimeoutError("nginx does not answer")
                time.sleep(0.05)
            yield url
        finally:
            proxy.terminate()
            proxy.wait()


def abuse(url: str, seconds: float) -> Report:
    """Misbehave in every way at once, and be honest meanwhile."""
    report, photo = Report(), make_photo(1)
    guesses = (post(url, ANALYZE, photo, X_API_Key=f"a-guess-that-is-wrong-{number}") for number in count())
    head = request_head("POST", url, ANALYZE, Content_Type="image/jpeg", Content_Length="500000")
    large = post(url, ANALYZE, b"\xff\xd8\xff\xe0" + bytes(_LARGE_BYTES - 4), X_API_Key=OTHER_KEY)
    honest = post(url, ANALYZE, photo, X_API_Key=KEY)
    with (
        slow_clients(url, [head] * _SLOW_UPLOADS),
        in_background(
            _client(url, guesses, report.wrong_keys, every_s=_WRONG_KEYS_EVERY_S),
            _client(url, iter(lambda: large, None), report.large),
            _client(url, iter(lambda: honest, None), report.honest, every_s=1.0),
        ),
    ):
        time.sleep(seconds)
    return report


def _client(url: str, requests: Iterator[bytes], tally: Tally, every_s: float = 0.0) -> Client:
    """One client that sends ``requests``, each on a connection of its own."""
    pool = ConnectionPool(url, keep=False)
    return lambda stop: closed_loop(lambda _: pool.send(next(requests)), 1, stop, tally, every_s=every_s)


def waits(outcomes: list[Outcome]) -> list[float]:
    """Seconds from the first request for an analysis to its 200, of a client that asks until it has one.

    The last one counts as far as it came.
    """
    found, began = [], None
    for one in outcomes:
        began = one.due if began is None else began
        if one.status == 200:
            found.append(one.due + one.latency - began)
            began = None
    return found if began is None else [*found, outcomes[-1].due + outcomes[-1].latency - began]


def _port(url: str) -> int:
    return urlsplit(url).port or 80


def _counts(tally: Tally) -> str:
    counts = [*tally.answers.items(), *Counter(tally.lost).items()]
    return ", ".join(f"{number} × {what}" for what, number in counts) or "none"


if __name__ == "__main__":
    sys.exit(main())
