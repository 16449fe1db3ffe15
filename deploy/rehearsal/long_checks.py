"""The checks that take minutes: long requests, large and slow uploads, deadlines, deployments under load."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psutil

from deploy.rehearsal.checks import ANALYSIS, JPEG, expect
from deploy.rehearsal.errors import CheckError
from deploy.rehearsal.http_client import ask
from deploy.rehearsal.load import steady_load
from deploy.rehearsal.photos import photo_of, skin_photo
from deploy.rehearsal.rehearsal import Rehearsal

_MEGABYTE = 2**20
_HELD_S = 70
_SLOW_S = 65
#: the deadline of the version that shows the application's own 504, and how long its workers then stand still
_SHORT_DEADLINE_S = 20
_STILL_S = 25
_AT_ONCE = 8
#: until all of them have arrived
_UNDER_WAY_S = 0.5
_TIMEOUT_S = 200
_PROPERTIES = ".ebextensions/60-environment.config"


def long_checks(rehearsal: Rehearsal) -> None:
    """Raises CheckError at the first that fails."""
    with rehearsal.narrator.step(f"a request held for {_HELD_S} s, and an upload that pauses for {_SLOW_S} s"):
        _held_and_slow(rehearsal)
    with rehearsal.narrator.step("an upload of 90 MB is answered by the application"):
        answer = expect(ask(rehearsal.port, "POST", ANALYSIS, photo_of(90), JPEG, timeout_s=120), 200)
        if not answer.json()["success"]:
            raise CheckError("the photo of 90 MB was not analysed")
    with rehearsal.narrator.step("an upload of 101 MB is refused in JSON"):
        answer = ask(rehearsal.port, "POST", ANALYSIS, bytes(101 * _MEGABYTE), JPEG, timeout_s=120)
        expect(answer, 413, "body_too_large")
    _deploy_under_load(rehearsal)


def _held_and_slow(rehearsal: Rehearsal) -> None:
    """Both at once: while the workers stand still one request waits for them, and one upload makes a pause."""
    photo = skin_photo()
    length = JPEG | {"Content-Length": str(len(photo))}
    with ThreadPoolExecutor(2) as senders:
        with standing_still(rehearsal):
            held = senders.submit(ask, rehearsal.port, "POST", ANALYSIS, photo, JPEG, timeout_s=_TIMEOUT_S)
            slow = senders.submit(
                ask, rehearsal.port, "POST", ANALYSIS, _with_a_pause(photo, _SLOW_S), length, timeout_s=_TIMEOUT_S
            )
            _wait(_HELD_S)
            if held.done() or slow.done():
                raise CheckError("a request was answered or cut while the workers stood still")
        expect(held.result(), 200)
        expect(slow.result(), 200)


def _with_a_pause(body: bytes, pause_s: float) -> Iterator[bytes]:
    middle = len(body) // 2
    yield body[:middle]
    _wait(pause_s)
    yield body[middle:]


def _deploy_under_load(rehearsal: Rehearsal) -> None:
    narrator = rehearsal.narrator
    with narrator.step("two deployments under one request a second"), steady_load(rehearsal.port) as load:
        rehearsal.source.write("docs/rehearsed.md", "A second version.\n")
        rehearsal.source.commit("A second version")
        _must_deploy(rehearsal, "a second version, under load")
        rehearsal.source.replace(_PROPERTIES, 'ANALYSIS_TIMEOUT: "300"', f'ANALYSIS_TIMEOUT: "{_SHORT_DEADLINE_S}"')
        rehearsal.source.commit("A short deadline")
        _must_deploy(rehearsal, "a third version with a short deadline, under load")
    narrator.say(f"  {load}")
    load.require_none_lost()
    with narrator.step("the application's own 504 is JSON"):
        _own_timeout(rehearsal)


def _must_deploy(rehearsal: Rehearsal, what: str) -> None:
    done = rehearsal.deploy(what)
    if done.status:
        raise CheckError(f"eb deploy ({what}) ended with status {done.status}:\n{done.output}")


def _own_timeout(rehearsal: Rehearsal) -> None:
    """The workers stop in the midst of more photos than they can analyse at once: those that wait miss the deadline."""
    photo = photo_of(2)
    with ThreadPoolExecutor(_AT_ONCE) as senders:
        waiting = [
            senders.submit(ask, rehearsal.port, "POST", ANALYSIS, photo, JPEG, timeout_s=_TIMEOUT_S)
            for _ in range(_AT_ONCE)
        ]
        _wait(_UNDER_WAY_S)
        with standing_still(rehearsal):
            _wait(_STILL_S)
        answers = [request.result() for request in waiting]
    late = [answer for answer in answers if answer.status == 504]
    if not late:
        raise CheckError(f"no request missed its deadline: {[answer.status for answer in answers]}")
    for answer in late:
        expect(answer, 504, "deadline_exceeded")


@contextmanager
def standing_still(rehearsal: Rehearsal) -> Iterator[None]:
    """The server's workers stopped, as if one analysis took that long; they go on at the end, however it comes."""
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


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)
