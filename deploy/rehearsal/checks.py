"""Checks of a deployed service. Every request goes through the load balancer's nginx."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from deploy.rehearsal.client import Response, photo_of, send_request, skin_photo
from deploy.rehearsal.processes import CommandResult
from deploy.rehearsal.progress import CheckError
from deploy.rehearsal.rehearsal import Rehearsal

ANALYSIS = "/api/analyze/skin"
JPEG = {"Content-Type": "image/jpeg"}
_CAPABILITY = json.dumps({"test": "ml_capability"}).encode()
_TIMEOUT_S = 120

_LOAD_INTERVAL_S = 1.0
_LOAD_THREADS = 64

_HELD_S = 70
_UPLOAD_PAUSE_S = 65
#: longer than the pauses above, shorter than ANALYSIS_TIMEOUT
_LONG_TIMEOUT_S = 200
#: ANALYSIS_TIMEOUT of the version that must answer 504, and for how long its workers are paused
_SHORT_DEADLINE_S = 20
_WORKERS_PAUSED_S = 25
_PARALLEL_REQUESTS = 8
#: seconds until all parallel requests have reached a worker
_ARRIVAL_S = 0.5
_ENVIRONMENT_CONFIG = ".ebextensions/60-environment.config"


def short_checks(rehearsal: Rehearsal) -> None:
    """Check health, readiness, the capability test and a photo of 2 MB. Raises CheckError."""
    port, progress = rehearsal.port, rehearsal.progress
    with progress.step("GET /health"):
        expect(send_request(port, "GET", "/health"), 200)
    with progress.step("GET /health/ready"):
        expect(send_request(port, "GET", "/health/ready"), 200)
    with progress.step("capability test"):
        parts = expect(analyse(port, _CAPABILITY, {"Content-Type": "application/json"}), 200).json()["parts"]
        progress.report("  " + ", ".join(f"{part['name']} ok" for part in parts))
    with progress.step("POST of a 2 MB photo"):
        expect(analyse(port, photo_of(2)), 200)


def long_requests(rehearsal: Rehearsal) -> None:
    """While the workers are paused, one request waits for them and one upload pauses halfway. Both must succeed."""
    progress, photo = rehearsal.progress, skin_photo()
    slow_headers = JPEG | {"Content-Length": str(len(photo))}
    slow_body = _body_with_pause(photo, _UPLOAD_PAUSE_S)
    what = f"a request of {_HELD_S} s, and an upload that pauses for {_UPLOAD_PAUSE_S} s"
    with progress.step(what), ThreadPoolExecutor(2) as senders:
        with paused_workers(rehearsal):
            held = senders.submit(analyse, rehearsal.port, photo, timeout_s=_LONG_TIMEOUT_S)
            slow = senders.submit(analyse, rehearsal.port, slow_body, slow_headers, timeout_s=_LONG_TIMEOUT_S)
            _wait(_HELD_S)
            if held.done() or slow.done():
                raise CheckError("a request ended while the workers were paused")
        expect(held.result(), 200)
        expect(slow.result(), 200)


def large_uploads(rehearsal: Rehearsal) -> None:
    """90 MB are analysed and 101 MB are refused. Raises CheckError."""
    with rehearsal.progress.step("an upload of 90 MB is analysed"):
        if not expect(analyse(rehearsal.port, photo_of(90)), 200).json()["success"]:
            raise CheckError("the photo of 90 MB was not analysed")
    with rehearsal.progress.step("an upload of 101 MB is refused in JSON"):
        expect(analyse(rehearsal.port, bytes(101 * 2**20)), 413, "body_too_large")


def expect(response: Response, status: int, code: str | None = None) -> Response:
    """Return ``response`` if it is JSON with this status and, for an error, this code; otherwise raise CheckError."""
    try:
        body = response.json()
    except ValueError as error:
        raise CheckError(f"expected {status} in JSON, got {response.status}: {response.body[:200]!r}") from error
    if response.status != status or (code is not None and body.get("error", {}).get("code") != code):
        raise CheckError(f"expected {status} {code or ''}, got {response.status}: {response.body[:300].decode()}")
    return response


@dataclass
class Load:
    """The results of the requests sent so far. A request is lost if its answer is not 200."""

    #: of the next requests
    headers: Mapping[str, str] = field(default_factory=lambda: dict(JPEG))
    answered: int = 0
    lost: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def require_none_lost(self) -> None:
        """Raises CheckError with the first failure if a request was lost or none was sent."""
        if self.lost or not self.answered:
            first = self.lost[0] if self.lost else "nothing was sent"
            raise CheckError(f"{len(self.lost)} of {self.answered + len(self.lost)} requests were lost: {first}")

    def __str__(self) -> str:
        return f"{self.answered} requests answered, {len(self.lost)} lost, slowest {self.slowest_s:.1f} s"

    def send(self, port: int, photo: bytes) -> None:
        """Send one photo and record the result."""
        start = time.monotonic()
        try:
            response = analyse(port, photo, self.headers)
            text = response.body[:200].decode("utf-8", "replace")
            problem = "" if response.status == 200 else f"{response.status} {text}"
        except (OSError, http.client.HTTPException) as error:
            problem = f"{type(error).__name__}: {error}"
        elapsed = time.monotonic() - start
        with self._lock:
            self.slowest_s = max(self.slowest_s, elapsed)
            if problem:
                self.lost.append(f"after {elapsed:.1f} s: {problem}")
            else:
                self.answered += 1


@contextmanager
def steady_load(port: int, headers: Mapping[str, str] = JPEG) -> Iterator[Load]:
    """Send one photo a second during the block, without waiting for answers; then wait for the last answers."""
    load, stop, photo = Load(headers), threading.Event(), skin_photo()

    def send_every_second() -> None:
        due = time.monotonic()
        while not stop.wait(max(0.0, due - time.monotonic())):
            senders.submit(load.send, port, photo)
            due += _LOAD_INTERVAL_S

    with ThreadPoolExecutor(_LOAD_THREADS) as senders:
        clock = threading.Thread(target=send_every_second, name="load", daemon=True)
        clock.start()
        try:
            yield load
        finally:
            stop.set()
            clock.join()


@contextmanager
def paused_workers(rehearsal: Rehearsal) -> Iterator[None]:
    """Pause the server's workers (SIGSTOP) during the block, to simulate an analysis that takes that long."""
    instance = rehearsal.environment.current
    if instance is None or instance.web is None:
        raise CheckError("nothing is deployed")
    workers = [worker.pid for worker in psutil.Process(instance.web.pid).children()]
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)


def _body_with_pause(body: bytes, pause_s: float) -> Iterator[bytes]:
    middle = len(body) // 2
    yield body[:middle]
    _wait(pause_s)
    yield body[middle:]


def deployments_under_load(rehearsal: Rehearsal) -> None:
    """No request is lost while two versions are deployed, and late answers are JSON. Raises CheckError."""
    progress = rehearsal.progress
    with progress.step("two deployments under one request a second"), steady_load(rehearsal.port) as load:
        rehearsal.source.write("docs/rehearsed.md", "A second version.\n")
        rehearsal.source.commit("A second version")
        deploy_or_fail(rehearsal, "a second version, under load")
        rehearsal.source.replace(
            _ENVIRONMENT_CONFIG, 'ANALYSIS_TIMEOUT: "300"', f'ANALYSIS_TIMEOUT: "{_SHORT_DEADLINE_S}"'
        )
        rehearsal.source.commit("A short deadline")
        deploy_or_fail(rehearsal, "a third version with a short deadline, under load")
    progress.report(f"  {load}")
    load.require_none_lost()
    with progress.step("the application answers 504 in JSON"):
        _check_deadline_response(rehearsal)


def deploy_or_fail(rehearsal: Rehearsal, what: str, label: str | None = None) -> None:
    """Deploy the last commit, or an earlier version. Raises CheckError if it fails."""
    require_success(rehearsal.deploy(what, label), f"eb deploy ({what})")


def require_success(done: CommandResult, command: str) -> None:
    """Raises CheckError with the output if a command failed."""
    if done.status:
        raise CheckError(f"{command} ended with status {done.status}:\n{done.output}")


def _check_deadline_response(rehearsal: Rehearsal) -> None:
    """Send more photos than the workers can analyse at once, then pause the workers until the deadline has passed.

    The requests that were still waiting must be answered with 504.
    """
    photo = photo_of(2)
    with ThreadPoolExecutor(_PARALLEL_REQUESTS) as senders:
        waiting = [
            senders.submit(analyse, rehearsal.port, photo, timeout_s=_LONG_TIMEOUT_S) for _ in range(_PARALLEL_REQUESTS)
        ]
        _wait(_ARRIVAL_S)
        with paused_workers(rehearsal):
            _wait(_WORKERS_PAUSED_S)
        responses = [request.result() for request in waiting]
    late = [response for response in responses if response.status == 504]
    if not late:
        raise CheckError(f"no request missed its deadline: {[response.status for response in responses]}")
    for response in late:
        expect(response, 504, "deadline_exceeded")


def analyse(
    port: int, body: bytes | Iterable[bytes], headers: Mapping[str, str] = JPEG, *, timeout_s: float = _TIMEOUT_S
) -> Response:
    """Ask for an analysis of a photo."""
    return send_request(port, "POST", ANALYSIS, body, headers, timeout_s=timeout_s)


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)
