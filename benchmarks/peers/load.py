"""When requests are sent: closed loop (each client sends when it has its answer) and open loop (nobody waits)."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count

from benchmarks.peers.outcomes import Outcome

#: a refused client of the closed loop that is not told when to come back waits this long
_PAUSE_S = 0.1
#: how long the last answers of an open loop are waited for
GRACE_S = 2.5


@dataclass(frozen=True)
class Reply:
    """An HTTP answer. ``retry_after`` is the header's seconds, None where there is none."""

    status: int
    retry_after: float | None
    body: bytes


#: sends the nth photo; raises OSError or EOFError where no whole answer comes
Send = Callable[[int], Awaitable[Reply]]


def poisson_schedule(rate: float, seconds: float, seed: int) -> list[float]:
    """Seconds at which requests are due: independent of each other, ``rate`` a second on average."""
    random_ = random.Random(seed)  # noqa: S311 - a schedule, not a secret
    due, moments = random_.expovariate(rate), []
    while due < seconds:
        moments.append(due)
        due += random_.expovariate(rate)
    return moments


async def closed_loop(send: Send, clients: int, seconds: float) -> list[Outcome]:
    """``clients`` at once. One that is refused comes back when it is told to."""
    outcomes: list[Outcome] = []
    started, number = time.perf_counter(), count()

    async def client() -> None:
        while (due := time.perf_counter() - started) < seconds:
            outcome, wait = await _ask(send, next(number), started, due)
            outcomes.append(outcome)
            if outcome.status != 200:
                await asyncio.sleep(min(wait, max(0.0, seconds + started - time.perf_counter())))

    await asyncio.gather(*(client() for _ in range(clients)))
    return outcomes


async def open_loop(send: Send, schedule: list[float]) -> list[Outcome]:
    """Each request at its time, whatever became of those before. Who has no answer at the end is let go."""
    started = time.perf_counter()
    tasks: list[asyncio.Task[tuple[Outcome, float]]] = []
    for number, due in enumerate(schedule):
        await asyncio.sleep(max(0.0, due - (time.perf_counter() - started)))
        tasks.append(asyncio.create_task(_ask(send, number, started, due)))
    if tasks:
        await asyncio.wait(tasks, timeout=GRACE_S)
    unanswered = [task for task in tasks if not task.done()]
    for task in unanswered:
        task.cancel()
    await asyncio.gather(*unanswered, return_exceptions=True)
    elapsed = time.perf_counter() - started
    return [
        Outcome(due, elapsed - due, None, "unanswered") if task.cancelled() else task.result()[0]
        for due, task in zip(schedule, tasks, strict=True)
    ]


async def _ask(send: Send, number: int, started: float, due: float) -> tuple[Outcome, float]:
    """The outcome, and for a refused one the seconds to wait before the next."""
    status, problem, retry_after = None, "", None
    try:
        reply = await send(number)
        status, retry_after = reply.status, reply.retry_after
    except (OSError, EOFError) as error:  # asyncio's IncompleteReadError is an EOFError
        problem = type(error).__name__
    latency = time.perf_counter() - started - due
    told = retry_after is not None
    return Outcome(due, latency, status, problem, told), retry_after if retry_after is not None else _PAUSE_S
