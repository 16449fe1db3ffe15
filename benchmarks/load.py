"""The load generator of all benchmarks and of the end-to-end tests: clients, and what became of each request.

A closed loop has a fixed number of clients, each of which sends its next request when it has its answer. In an open
loop, requests are sent at their times whatever became of those before. ``python -m benchmarks.load`` is one
measurement in a process of its own: a ``Job`` on stdin and its summary on stdout, both as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.outcomes import Outcome, Tally, summarise

ANALYZE = "/api/analyze/skin"
#: how long an open loop waits for its last answers
GRACE_S = 2.5
#: pause after another status than 200, where the answer has no Retry-After
_PAUSE_S = 0.1
_LONGEST_ANSWER_S = 120.0
_HEAD_BYTES = 64 * 1024
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Reply:
    """An HTTP answer. ``retry_after`` is the header's value in seconds, None where there is none."""

    status: int
    retry_after: float | None
    body: bytes


#: Sends the request with this number. Raises OSError or EOFError where no whole answer comes.
Send = Callable[[int], Awaitable[Reply]]
#: Runs until the event is set.
Client = Callable[[asyncio.Event], Awaitable[object]]


# Clients


async def closed_loop(
    send: Send, clients: int, stop: asyncio.Event, tally: Tally, *, every_s: float = 0.0, longest_pause_s: float = 60.0
) -> None:
    """Ask with so many ``clients`` until ``stop``.

    A client that gets another status than 200 waits as long as Retry-After says, and at most ``longest_pause_s``. Each
    client sends at most one request in ``every_s``, and ends when its connection is refused.
    """
    started, numbers = time.perf_counter(), count()

    async def client() -> None:
        while not stop.is_set():
            due = time.perf_counter() - started
            outcome, retry_s = await _ask(send, next(numbers), started, due)
            tally.outcomes.append(outcome)
            if outcome.is_refused:
                return
            wait_s = 0.0 if outcome.status == 200 else min(retry_s, longest_pause_s)
            await pause(stop, max(wait_s, every_s - (time.perf_counter() - started - due)))

    await asyncio.gather(*(client() for _ in range(clients)))


async def open_loop(send: Send, schedule: Sequence[float]) -> list[Outcome]:
    """Send each request at its time. Those without an answer ``GRACE_S`` after the last one are unanswered."""
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


def poisson_schedule(rate: float, seconds: float, seed: int) -> list[float]:
    """Seconds at which requests are due: independent of each other, ``rate`` a second on average."""
    random_ = random.Random(seed)  # noqa: S311 - a schedule, not a secret
    due, moments = random_.expovariate(rate), []
    while due < seconds:
        moments.append(due)
        due += random_.expovariate(rate)
    return moments


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait for so many ``seconds``, or until ``stop``."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


async def _ask(send: Send, number: int, started: float, due: float) -> tuple[Outcome, float]:
    """The outcome, and the seconds that a refused client waits before its next request."""
    status, problem, retry_after = None, "", None
    try:
        reply = await send(number)
        status, retry_after = reply.status, reply.retry_after
    except (OSError, EOFError) as error:  # asyncio's IncompleteReadError is an EOFError
        problem = type(error).__name__
    latency = time.perf_counter() - started - due
    if retry_after is None:
        return Outcome(due, latency, status, problem), _PAUSE_S
    return Outcome(due, latency, status, problem, retry_after=True), retry_after


@contextmanager
def in_background(*clients: Client) -> Iterator[None]:
    """Run ``clients`` in a thread of their own until the body ends; then tell them to stop, and wait for them."""
    stopper: Future[Callable[[], object]] = Future()

    async def run() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        stopper.set_result(lambda: loop.call_soon_threadsafe(stop.set))
        await asyncio.gather(stop.wait(), *(client(stop) for client in clients))

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(asyncio.run, run())
        stop = stopper.result()
        try:
            yield
        finally:
            stop()
            done.result()


@contextmanager
def load_on(url: str, photo: bytes, clients: int) -> Iterator[Tally]:
    """``clients`` that send ``photo`` again and again until the body ends.

    Each request has a connection of its own, as nginx makes them. Clients wait less than Retry-After says: otherwise
    fewer requests would meet the event that is tested.
    """
    tally, pool = Tally(), ConnectionPool(url, keep=False)
    request = post(url, ANALYZE, photo)
    with in_background(
        lambda stop: closed_loop(lambda _: pool.send(request), clients, stop, tally, longest_pause_s=0.2)
    ):
        yield tally


@contextmanager
def slow_clients(url: str, starts: Sequence[bytes]) -> Iterator[None]:
    """A client for each of ``starts``, which sends that and then a byte a second; begins anew when it is cut off.

    The body runs once all have begun.
    """
    begun, all_begun = count(1), Future[None]()
    host, port = _address(url)

    async def trickle(start: bytes, stop: asyncio.Event) -> None:
        _, writer = await asyncio.open_connection(host, port)
        writer.write(start)
        if next(begun) == len(starts):
            all_begun.set_result(None)
        try:
            while not stop.is_set() and not writer.is_closing():
                await pause(stop, 1)
                writer.write(b"x")
                await writer.drain()
        finally:
            writer.transport.abort()

    async def client(start: bytes, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with suppress(OSError):
                await trickle(start, stop)
            await pause(stop, _PAUSE_S)

    with in_background(lambda stop: asyncio.gather(*(client(start, stop) for start in starts))):
        all_begun.result(_LONGEST_ANSWER_S)
        yield


# HTTP/1.1 at the least cost: the clients share their cores with the server that they measure.


class ConnectionPool:
    """Connections to one server: as many as there are requests under way. ``keep`` uses each for many requests."""

    def __init__(self, url: str, *, keep: bool = True, longest_answer_s: float = _LONGEST_ANSWER_S) -> None:
        self._address = _address(url)
        self._keep = keep
        self._longest_answer_s = longest_answer_s
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self, request: bytes) -> Reply:
        """Send the bytes of a whole request. Raises OSError or EOFError if no whole answer comes in time."""
        async with asyncio.timeout(self._longest_answer_s):
            reader, writer = await self._connection()
            reusable = False
            try:
                # Not drained: a server may refuse before it has read the body, and its answer must not be missed.
                writer.write(request)
                reply, kept = await _read_reply(reader)
                reusable = self._keep and kept and writer.transport.get_write_buffer_size() == 0
            finally:
                if reusable:
                    self._idle.append((reader, writer))
                else:
                    writer.transport.abort()
            return reply

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """An idle connection that the server has not closed, or a new one."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not (reader.at_eof() or writer.is_closing()):
                return reader, writer
            writer.transport.abort()
        return await asyncio.open_connection(*self._address, limit=_HEAD_BYTES)

    def close(self) -> None:
        """Close the idle connections."""
        for _, writer in self._idle:
            writer.transport.abort()
        self._idle.clear()


def post(url: str, path: str, body: bytes, **headers: str) -> bytes:
    """The bytes of a request that uploads ``body`` as a photo. In names of ``headers``, ``_`` stands for ``-``."""
    return request_head("POST", url, path, Content_Type="image/jpeg", Content_Length=str(len(body)), **headers) + body


def request_head(method: str, url: str, path: str, **headers: str) -> bytes:
    """A request's first line and headers."""
    named = {"Host": _address(url)[0], "Accept": "application/json", **headers}
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items()]
    return "".join([f"{method} {path} HTTP/1.1\r\n", *lines, "\r\n"]).encode()


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 80


async def _read_reply(reader: asyncio.StreamReader) -> tuple[Reply, bool]:
    """The answer, and whether the connection stays open."""
    status, headers = _parse_head(await reader.readuntil(b"\r\n\r\n"))
    kept = headers.get("connection", "").lower() != "close" and headers["version"] == "HTTP/1.1"
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _read_chunks(reader)
    elif "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    else:
        body, kept = await reader.read(), False
    retry_after = headers.get("retry-after", "")
    return Reply(status, float(retry_after) if retry_after.isdecimal() else None, body), kept


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    version, status = first.split(" ", 2)[:2]
    headers = {"version": version}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return int(status), headers


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    pieces = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        pieces.append((await reader.readexactly(size + 2))[:-2])
    await reader.readuntil(b"\r\n")
    return b"".join(pieces)


# A process of its own


@dataclass(frozen=True)
class Job:
    """``clients`` for a closed loop, or ``rate`` (requests a second) for an open one.

    The first ``warm_s`` of the ``seconds`` are left out of the summary.
    """

    url: str
    path: str
    photos: Sequence[str]
    seconds: float
    warm_s: float = 1.0
    clients: int = 1
    rate: float | None = None
    seed: int = 0
    keep: bool = True


async def run(job: Job) -> dict[str, Any]:
    """The job's summary, with ``ok_total`` (answers with status 200 in the whole run) and the client's own use."""
    requests = [post(job.url, job.path, Path(photo).read_bytes()) for photo in job.photos]
    pool = ConnectionPool(job.url, keep=job.keep)

    async def send(number: int) -> Reply:
        return await pool.send(requests[number % len(requests)])

    cpu, wall = time.process_time(), time.perf_counter()
    outcomes = await _outcomes(send, job)
    used, elapsed = time.process_time() - cpu, time.perf_counter() - wall
    pool.close()
    return {
        **summarise(outcomes, begin=job.warm_s, end=job.seconds, by_completion=job.rate is None),
        "ok_total": sum(one.status == 200 for one in outcomes),
        "elapsed_s": elapsed,
        "client_cores": used / elapsed,
        "load_average": os.getloadavg()[0],
    }


async def _outcomes(send: Send, job: Job) -> list[Outcome]:
    if job.rate is not None:
        return await open_loop(send, poisson_schedule(job.rate, job.seconds, job.seed))
    tally, stop = Tally(), asyncio.Event()
    asyncio.get_running_loop().call_later(job.seconds, stop.set)
    await closed_loop(send, job.clients, stop, tally)
    return tally.outcomes


def in_own_process(job: Job, margin_s: float) -> dict[str, Any]:
    """The summary of ``job``, run by a client in a process of its own.

    Raises subprocess.CalledProcessError if the client fails, and subprocess.TimeoutExpired if it needs more than
    ``margin_s`` beyond the job's own time.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=json.dumps(asdict(job)),
        capture_output=True,
        text=True,
        cwd=_ROOT,
        timeout=job.seconds + GRACE_S + margin_s,
        check=True,
    )
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def main() -> None:
    json.dump(asyncio.run(run(Job(**json.load(sys.stdin)))), sys.stdout)


if __name__ == "__main__":
    main()
