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
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from PIL import Image

from benchmarks.load import ANALYZE, ConnectionPool, Reply, Send, closed_loop, in_background, post, request_head
from benchmarks.outcomes import Tally
from benchmarks.photos import make_photo
from benchmarks.service import Service, machine_facts, service

_EVERY_S = 5.0
_LONGEST_WARM_UP_S = 300.0
#: time after which an impatient client leaves: a photo is sent by then, but not analysed
_PATIENCE_S = 0.03
#: how much more than at first counts as growth
MOST_MEMORY = 1.05
_MORE_THREADS = 2
_MORE_FILES = 16
#: kind of request → how often it is sent
_MIX = {"ordinary": 70, "large": 5, "bad": 10, "leave": 10, "health": 5}


class LeftEarlyError(OSError):
    """The client did not wait for the answer. What is recorded of a request that was meant to end so."""


@dataclass(frozen=True)
class Sample:
    """``uss_mb``: private memory of all workers; counts over the arbiter and all workers."""

    at_s: float
    uss_mb: float
    threads: int
    open_files: int
    temporary_files: int


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--out", type=Path, help="also write everything here, as JSON")
    options = parser.parse_args(arguments)
    with service({}) as running:
        samples, tally = soak(running, options.minutes * 60, options.clients)
    problems = judge(samples, tally)
    for line in _lines(samples, tally):
        print(line)
    for problem in problems:
        print(f"MISS: {problem}")
    if options.out:
        found = {"machine": machine_facts(), "samples": [asdict(one) for one in samples], "statuses": tally.answers}
        options.out.write_text(json.dumps({**found, "lost": _resets(tally), "problems": problems}, indent=1) + "\n")
    return int(bool(problems))


def soak(running: Service, seconds: float, clients: int) -> tuple[list[Sample], Tally]:
    """Run the load, and look at the service meanwhile."""
    tally, samples, send = Tally(), [], _mixed(running.url)
    started = time.monotonic()
    with in_background(lambda stop: closed_loop(send, clients, stop, tally)):
        while time.monotonic() < started + seconds:
            time.sleep(min(_EVERY_S, seconds / 20))
            samples.append(_look(running, time.monotonic() - started))
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{samples[-1]} {dict(tally.answers)}\033[K")
    return samples, tally


def _mixed(url: str) -> Send:
    """Sends a request of a random kind."""
    patient, impatient = ConnectionPool(url), ConnectionPool(url, longest_answer_s=_PATIENCE_S)
    requests = {kind: [post(url, ANALYZE, photo) for photo in photos] for kind, photos in _photos().items()}
    requests |= {"leave": requests["ordinary"], "health": [request_head("GET", url, "/health")]}
    random_ = random.Random(0)  # noqa: S311 - a mix of requests

    async def send(_: int) -> Reply:
        kind = random_.choices(list(_MIX), list(_MIX.values()))[0]
        request = random_.choice(requests[kind])
        if kind != "leave":
            return await patient.send(request)
        try:
            return await impatient.send(request)
        except TimeoutError:
            raise LeftEarlyError from None

    return send


def _photos() -> dict[str, list[bytes]]:
    """Files by kind; the large ones in several formats, since each is decoded by another library."""
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


def _look(running: Service, at_s: float) -> Sample:
    members = running.members()
    return Sample(
        at_s=round(at_s, 1),
        uss_mb=round(sum(worker.memory_full_info().uss for worker in running.workers()) / 1e6, 1),
        threads=sum(member.num_threads() for member in members),
        open_files=sum(member.num_fds() for member in members),
        temporary_files=sum(1 for path in running.folder.rglob("*") if path.is_file()),
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
    errors = {status: n for status, n in tally.answers.items() if status >= 500 and status != 503}
    if errors:
        problems.append(f"errors of the server: {errors}")
    if lost := _resets(tally):
        problems.append(f"{len(lost)} requests were lost: {sorted(set(lost))}")
    if not tally.answers[200]:
        problems.append("no photo was analysed")
    return problems


def _resets(tally: Tally) -> list[str]:
    """Requests that got no answer, except those whose client left."""
    refused = [ConnectionRefusedError.__name__] * tally.refused
    return refused + [problem for problem in tally.lost if problem != LeftEarlyError.__name__]


def _windows(samples: Sequence[Sample]) -> tuple[Sequence[Sample], Sequence[Sample]]:
    """The fifth that follows the warm-up, and the last fifth."""
    warm_up = min(_LONGEST_WARM_UP_S, samples[-1].at_s / 6)
    warm = [sample for sample in samples if sample.at_s >= warm_up]
    size = max(1, len(samples) // 5)
    return warm[:size], warm[-size:]


def _lines(samples: Sequence[Sample], tally: Tally) -> list[str]:
    first, last = _windows(samples)
    left = tally.lost.count(LeftEarlyError.__name__)
    lines = [f"statuses {dict(sorted(tally.answers.items()))}, left early {left}, lost {len(_resets(tally))}"]
    for name in ("uss_mb", "threads", "open_files", "temporary_files"):
        before, after = (median(getattr(sample, name) for sample in window) for window in (first, last))
        lines.append(
            f"{name}: {before:.1f} after the warm-up, {after:.1f} at the end ({after / max(before, 1e-9):.3f} ×)"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
