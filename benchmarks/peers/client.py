"""``python -m benchmarks.peers.client``: one measurement, in a process of its own.

A job on stdin, its result on stdout.

Job and result are JSON; see Job and benchmarks.peers.outcomes.summarise.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.http_client import ConnectionPool, post
from benchmarks.peers.load import Reply, Send, closed_loop, open_loop, poisson_schedule
from benchmarks.peers.outcomes import Outcome, summarise


@dataclass(frozen=True)
class Job:
    """``clients`` for a closed loop, or ``rate`` (requests a second) for an open one.

    The first ``warm_s`` of the ``seconds`` are discarded.
    """

    port: int
    path: str
    photos: Sequence[str]
    seconds: float
    warm_s: float = 1.0
    clients: int | None = None
    rate: float | None = None
    seed: int = 0
    host: str = "127.0.0.1"


async def run(job: Job) -> dict[str, Any]:
    """The job's summary, with ``ok_total`` (200s in all of the run) and ``client_cores`` (CPU used here)."""
    requests = [post(job.host, job.path, Path(photo).read_bytes()) for photo in job.photos]
    pool = ConnectionPool(job.host, job.port)

    async def send(number: int) -> Reply:
        return await pool.send(requests[number % len(requests)])

    cpu, wall = time.process_time(), time.perf_counter()
    outcomes = await _outcomes(send, job)
    used, elapsed = time.process_time() - cpu, time.perf_counter() - wall
    pool.close()
    return {
        **summarise(outcomes, begin=job.warm_s, end=job.seconds, by_completion=job.rate is None),
        "ok_total": sum(one.status == 200 for one in outcomes),
        "client_cores": used / elapsed,
        "load_average": os.getloadavg()[0],
    }


async def _outcomes(send: Send, job: Job) -> list[Outcome]:
    if job.rate is not None:
        return await open_loop(send, poisson_schedule(job.rate, job.seconds, job.seed))
    return await closed_loop(send, job.clients or 1, job.seconds)


def main() -> None:
    result = asyncio.run(run(Job(**json.load(sys.stdin))))
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
