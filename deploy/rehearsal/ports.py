"""Loopback ports: free ones, or a row of them from a given base."""

from __future__ import annotations

import itertools
import socket

from deploy.rehearsal.errors import RehearsalError

LOOPBACK = "127.0.0.1"


class Ports:
    """Hands out ports of 127.0.0.1 that nothing listens on, each once."""

    def __init__(self, base: int | None = None) -> None:
        self._row = itertools.count(base) if base else None
        self._given: set[int] = set()

    def take(self) -> int:
        """Raises RehearsalError if the next port of the row is taken."""
        while True:
            wanted = next(self._row) if self._row else 0
            try:
                with socket.create_server((LOOPBACK, wanted)) as probe:
                    port = int(probe.getsockname()[1])
            except OSError as error:
                raise RehearsalError(f"port {wanted} is taken; give another --port-base") from error
            if port not in self._given:
                self._given.add(port)
                return port
