"""Stops uploads that are too slow.

The reading thread cannot do this: gunicorn blocks until it has all requested bytes, and each byte restarts the socket's
timeout. So another thread watches the reads. It stops a read by shutting down the receiving half of the connection. The
answer can still be sent.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

#: A read that takes longer than this for one piece may be stopped to make room for another request.
PIECE_TIMEOUT_S = 10.0


@dataclass(eq=False)
class Upload:
    """One read in progress. ``cut`` tells the reading thread that the read was stopped."""

    sock: socket.socket
    began: float
    ends: float
    yields: bool
    cut: bool = False

    def end(self) -> None:
        self.cut = True
        with suppress(OSError):  # the client has already gone
            self.sock.shutdown(socket.SHUT_RD)


class Uploads:
    """The reads in progress in this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way: set[Upload] = set()

    @contextmanager
    def watch(self, sock: socket.socket | None, seconds: float, *, yields: bool = False) -> Iterator[Upload | None]:
        """Watch a read from ``sock``. It is stopped after ``seconds``, or earlier by ``make_way`` if ``yields`` is set.

        ``sock`` is None if the server gives no socket; then nothing is watched.
        """
        if sock is None:
            yield None
            return
        now = self._clock()
        upload = Upload(sock, now, now + seconds, yields)
        with self._lock:
            self._under_way.add(upload)
        try:
            yield upload
        finally:
            with self._lock:
                self._under_way.discard(upload)

    def cut_overdue(self) -> None:
        """Stop the reads whose time is over. Call this about once a second."""
        now = self._clock()
        with self._lock:
            for upload in self._under_way:
                if now >= upload.ends:
                    upload.end()

    def make_way(self) -> None:
        """Stop the read that has waited longest for its piece, if it has waited more than PIECE_TIMEOUT_S."""
        latest = self._clock() - PIECE_TIMEOUT_S
        with self._lock:
            slow = [upload for upload in self._under_way if upload.yields and not upload.cut and upload.began < latest]
            if slow:
                min(slow, key=lambda upload: upload.began).end()
