"""The uploads under way, and how slow ones are ended.

The thread that reads cannot watch the clock: gunicorn reads until it has all the bytes it was asked for, and every byte
that arrives restarts the socket's timeout. So another thread watches, and ends a reading by closing the receiving half
of the connection. The answer can still be sent.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

#: a reading that has waited this long for one piece may be ended to make room for others
PIECE_TIMEOUT_S = 10.0


@dataclass(eq=False)
class Upload:
    """One reading under way. ``cut`` tells the thread that reads that it was ended early."""

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
    """The readings under way in this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way: set[Upload] = set()

    @contextmanager
    def watch(self, sock: socket.socket | None, seconds: float, *, yields: bool = False) -> Iterator[Upload | None]:
        """Watch the reading from ``sock``: it ends after ``seconds``, or, if it ``yields``, when others need its place.

        ``sock`` is None under a server that gives no socket: then nothing is watched.
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
        """End the readings whose time is up. Call this about once a second."""
        now = self._clock()
        with self._lock:
            for upload in self._under_way:
                if now >= upload.ends:
                    upload.end()

    def make_way(self) -> None:
        """End the reading that has waited longest for its piece, if it has waited more than PIECE_TIMEOUT_S."""
        latest = self._clock() - PIECE_TIMEOUT_S
        with self._lock:
            slow = [upload for upload in self._under_way if upload.yields and not upload.cut and upload.began < latest]
            if slow:
                min(slow, key=lambda upload: upload.began).end()
