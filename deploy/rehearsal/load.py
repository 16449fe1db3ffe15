"""A steady load: one photo a second, whatever becomes of the ones before, and a record of each."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from deploy.rehearsal.checks import ANALYSIS, JPEG
from deploy.rehearsal.errors import CheckError
from deploy.rehearsal.http_client import ask
from deploy.rehearsal.photos import skin_photo

_EVERY_S = 1.0
_TIMEOUT_S = 120.0
_SENDERS = 64


@dataclass
class Load:
    """What became of the requests so far."""

    answered: int = 0
    lost: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def require_none_lost(self) -> None:
        """Raises CheckError, with the first of them, if a request was not answered with 200."""
        if self.lost or not self.answered:
            first = self.lost[0] if self.lost else "nothing was sent"
            raise CheckError(f"{len(self.lost)} of {self.answered + len(self.lost)} requests were lost: {first}")

    def __str__(self) -> str:
        return f"{self.answered} requests answered, {len(self.lost)} lost, slowest {self.slowest_s:.1f} s"

    def send(self, port: int, photo: bytes) -> None:
        """One request, and a line if it is lost."""
        began = time.monotonic()
        try:
            answer = ask(port, "POST", ANALYSIS, photo, JPEG, timeout_s=_TIMEOUT_S)
            problem = "" if answer.status == 200 else f"{answer.status} {answer.body[:200].decode('utf-8', 'replace')}"
        except (OSError, http.client.HTTPException) as error:
            problem = f"{type(error).__name__}: {error}"
        with self._lock:
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            if problem:
                self.lost.append(f"after {time.monotonic() - began:.1f} s: {problem}")
            else:
                self.answered += 1


@contextmanager
def steady_load(port: int) -> Iterator[Load]:
    """Sends until the body ends, and then waits for the last answers."""
    load, stop, photo = Load(), threading.Event(), skin_photo()

    def send_on() -> None:
        due = time.monotonic()
        while not stop.wait(max(0.0, due - time.monotonic())):
            senders.submit(load.send, port, photo)
            due += _EVERY_S

    with ThreadPoolExecutor(_SENDERS) as senders:
        clock = threading.Thread(target=send_on, name="load", daemon=True)
        clock.start()
        try:
            yield load
        finally:
            stop.set()
            clock.join()
