"""Clients that keep asking, and a record of what became of each request: none may be left out of the count."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.e2e.server import ANALYZE, Server, skin_photo
from tests.waiting import wait_until

_TIMEOUT_S = 120
#: less than they are asked to wait, and more than nothing: clients and service share the cores
_AFTER_503_S = 0.2


@dataclass
class Load:
    """``answers`` counts statuses; a 503 that does not say when to come back counts as lost. ``refused`` counts
    connections that the kernel did not take, ``lost`` names what broke after it had taken them."""

    host: str
    port: int
    body: bytes
    answers: Counter[int] = field(default_factory=Counter)
    refused: int = 0
    lost: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask_on(self) -> None:
        """One client: a connection for each request, until told to stop or refused."""
        while not self.stop.is_set():
            connection = http.client.HTTPConnection(self.host, self.port, timeout=_TIMEOUT_S)
            try:
                connection.connect()
            except ConnectionRefusedError:
                with self._lock:
                    self.refused += 1
                return
            if self._ask(connection) == 503:
                self.stop.wait(_AFTER_503_S)

    def _ask(self, connection: http.client.HTTPConnection) -> int | None:
        status = None
        try:
            connection.request("POST", ANALYZE, self.body, {"Content-Type": "image/jpeg"})
            response = connection.getresponse()
            response.read()
            status = response.status
            problem = f"{response.status} without Retry-After" if _never_says_when(response) else ""
        except (OSError, http.client.HTTPException) as error:
            problem = repr(error)
        finally:
            connection.close()
        with self._lock:
            if problem:
                self.lost.append(problem)
            else:
                self.answers[response.status] += 1
        return status

    def wait_for(self, more: int) -> None:
        """Until ``more`` analyses than now have been answered with 200."""
        goal = self.answers[200] + more
        wait_until(lambda: self.answers[200] >= goal, lambda: f"{self.answers}, lost: {self.lost}")


def _never_says_when(response: http.client.HTTPResponse) -> bool:
    return response.status == 503 and not response.headers["Retry-After"]


@contextmanager
def load_on(server: Server, clients: int) -> Iterator[Load]:
    """``clients`` at once, until the body ends; then their last answers are waited for."""
    host, port = server.url.removeprefix("http://").split(":")
    load = Load(host, int(port), skin_photo())
    threads = [threading.Thread(target=load.ask_on, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stop.set()
        for thread in threads:
            thread.join(_TIMEOUT_S)
