"""``python -m benchmarks.soak --minutes 30``: mixed load for a long time, and whether anything grows.

The real service with two workers gets ordinary photos, large ones, files that are none, and clients that leave. Every
few seconds the memory (USS, summed over the workers), threads, open files and temporary files of its processes are
noted. It passes if memory is flat: the median of the last fifth of the samples is at most 5 % above that of the fifth
that follows the warm-up (the first sixth of the time, at most 5 minutes); if threads, open and temporary files do not
exceed what they were in that fifth, beyond what requests under way hold; and if no answer was an error of the server
other than 503, and no connection was reset.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import requests
from PIL import Image

from benchmarks.peers.arms import ARMS, OURS, command, environment, plan_for
from benchmarks.peers.core import Kind
from benchmarks.peers.machine import facts
from benchmarks.peers.photos import make_photo
from benchmarks.peers.processes import ProcessGroup, free_port

_PATH = "/api/analyze/skin"
_EVERY_S = 5.0
_LONGEST_WARM_UP_S = 300.0
#: how much more than at first counts as growth
MOST_MEMORY = 1.05
_MORE_THREADS = 2
_MORE_FILES = 16


@dataclass(frozen=True)
class Sample:
    """``uss_mb``: private memory of all workers; counts over the arbiter and all workers."""

    at_s: float
    uss_mb: float
    threads: int
    open_files: int
    temporary_files: int


@dataclass
class Tally:
    """What became of the requests. Lists and counters are only added to, each in one step."""

    statuses: Counter[str] = field(default_factory=Counter)
    resets: int = 0
    left: int = 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--out", type=Path, help="also write everything here, as JSON")
    options = parser.parse_args(arguments)
    samples, tally = soak(options.minutes * 60, options.clients)
    problems = judge(samples, tally)
    for line in _lines(samples, tally):
        print(line)
    for problem in problems:
        print(f"MISS: {problem}")
    if options.out:
        found = {"machine": facts(), "samples": [asdict(one) for one in samples], "statuses": tally.statuses}
        options.out.write_text(json.dumps({**found, "resets": tally.resets, "problems": problems}, indent=1) + "\n")
    return int(bool(problems))


def soak(seconds: float, clients: int) -> tuple[list[Sample], Tally]:
    """Run the load, and look at the service while it lasts."""
    port, plan = free_port(), plan_for(Kind.ANALYSIS, "auto")
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        group = ProcessGroup(
            command(ARMS[OURS], plan, port), environment(plan, scratch, arm=OURS, port=port), scratch / "log"
        )
        try:
            group.wait_ready(f"http://127.0.0.1:{port}/health/ready")
            return _load(f"http://127.0.0.1:{port}", group, scratch, seconds, clients)
        finally:
            group.stop()


def _load(url: str, group: ProcessGroup, scratch: Path, seconds: float, clients: int) -> tuple[list[Sample], Tally]:
    tally, samples, stop = Tally(), [], time.monotonic() + seconds
    photos = _photos()
    threads = [threading.Thread(target=_client, args=(url, photos, tally, stop, seed)) for seed in range(clients)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    while time.monotonic() < stop:
        time.sleep(min(_EVERY_S, seconds / 20))
        samples.append(_look(group, scratch, time.monotonic() - started))
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{samples[-1]} {dict(tally.statuses)}\033[K")
    for thread in threads:
        thread.join()
    return samples, tally


def _photos() -> dict[str, list[bytes]]:
    """By kind; the large ones in several formats, since each is decoded by another library."""
    ordinary = [make_photo(seed) for seed in range(6)]
    large = Image.open(io.BytesIO(make_photo(9, 6400, 4800)))
    formats = []
    for name, settings in (("JPEG", {"quality": 85}), ("WEBP", {"quality": 70}), ("PNG", {"compress_level": 1})):
        buffer = io.BytesIO()
        large.resize((4000, 3000) if name == "PNG" else large.size).save(buffer, name, **settings)
        formats.append(buffer.getvalue())
    bomb = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(bomb, "PNG")
    bad = [b"no photo at all" * 50, ordinary[0][: len(ordinary[0]) // 2], bomb.getvalue(), b""]
    return {"ordinary": ordinary, "large": formats, "bad": bad}


def _client(url: str, photos: dict[str, list[bytes]], tally: Tally, stop: float, seed: int) -> None:
    random_ = random.Random(seed)  # noqa: S311 - a mix of requests
    with requests.Session() as session:
        while time.monotonic() < stop:
            kind = random_.choices(("ordinary", "large", "bad", "leave", "health"), (70, 5, 10, 10, 5))[0]
            try:
                if kind == "health":
                    answer = session.get(f"{url}/health", timeout=30)
                elif kind == "leave":
                    _leave(url, random_.choice(photos["ordinary"]), tally)
                    continue
                else:
                    answer = session.post(url + _PATH, files={"image": random_.choice(photos[kind])}, timeout=120)
            except requests.ConnectionError:
                tally.resets += 1
                continue
            tally.statuses[str(answer.status_code)] += 1


def _leave(url: str, photo: bytes, tally: Tally) -> None:
    """Send a photo, and go before it can have been analysed."""
    try:
        requests.post(url + _PATH, files={"image": photo}, timeout=(5, 0.03))
    except requests.RequestException:
        tally.left += 1


def _look(group: ProcessGroup, scratch: Path, at_s: float) -> Sample:
    members = group.members()
    workers = [member for member in members if member.pid != group.process.pid]
    return Sample(
        at_s=round(at_s, 1),
        uss_mb=round(sum(member.memory_full_info().uss for member in workers) / 1e6, 1),
        threads=sum(member.num_threads() for member in members),
        open_files=sum(member.num_fds() for member in members),
        temporary_files=sum(1 for path in scratch.rglob("*") if path.is_file()),
    )


def judge(samples: Sequence[Sample], tally: Tally) -> list[str]:
    """What grew, or should not have happened; nothing if all is well."""
    first, last = _windows(samples)

    def both(number: Callable[[Sample], float]) -> tuple[float, float]:
        return median(map(number, first)), median(map(number, last))

    problems = []
    before, after = both(lambda sample: sample.uss_mb)
    if after > MOST_MEMORY * before:
        problems.append(f"memory grew from {before:.0f} to {after:.0f} MB")
    for name, more in (("threads", _MORE_THREADS), ("open_files", _MORE_FILES), ("temporary_files", 0)):
        before, after = both(lambda sample, name=name: float(getattr(sample, name)))  # type: ignore[misc]
        if after > before + more:
            problems.append(f"{name} grew from {before:.0f} to {after:.0f}")
    errors = {status: n for status, n in tally.statuses.items() if status.startswith("5") and status != "503"}
    if errors:
        problems.append(f"errors of the server: {errors}")
    if tally.resets:
        problems.append(f"{tally.resets} connections were reset")
    if not tally.statuses["200"]:
        problems.append("no photo was analysed")
    return problems


def _windows(samples: Sequence[Sample]) -> tuple[Sequence[Sample], Sequence[Sample]]:
    """The fifth that follows the warm-up, and the last fifth."""
    warm_up = min(_LONGEST_WARM_UP_S, samples[-1].at_s / 6)
    warm = [sample for sample in samples if sample.at_s >= warm_up]
    size = max(1, len(samples) // 5)
    return warm[:size], warm[-size:]


def _lines(samples: Sequence[Sample], tally: Tally) -> list[str]:
    first, last = _windows(samples)
    lines = [f"statuses {dict(sorted(tally.statuses.items()))}, left early {tally.left}, resets {tally.resets}"]
    for name in ("uss_mb", "threads", "open_files", "temporary_files"):
        before, after = (median(getattr(sample, name) for sample in window) for window in (first, last))
        lines.append(
            f"{name}: {before:.1f} after the warm-up, {after:.1f} at the end ({after / max(before, 1e-9):.3f} ×)"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
