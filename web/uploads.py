"""What clients are still sending, and an end to what takes too long.

A thread that reads cannot look at the clock: gunicorn's reader takes one piece after the other until it has what it was
asked for, and each byte that trickles in starts a socket's timeout anew. So somebody else looks, and ends the reading
by closing the receiving half of the connection; the answer can still be sent.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

#: a reader that has waited this long for one piece makes way when there is no room for others
PIECE_TIMEOUT_S = 10.0


@dataclass(eq=False)
class Upload:
    """One reading under way, for a thread that may be told by ``cut`` why it ended early."""

    sock: socket.socket
    began: float
    ends: float
    yields: bool
    cut: bool = False

    def end(self) -> None:
        self.cut = True
        with suppress(OSError):  # the sender has gone by itself
            self.sock.shutdown(socket.SHUT_RD)


class Uploads:
    """The readings under way in this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way: set[Upload] = set()

    @contextmanager
    def watch(self, sock: socket.socket | None, seconds: float, *, yields: bool = False) -> Iterator[Upload | None]:
        """Read from ``sock`` for at most ``seconds``, or, if it ``yields``, until its place is needed by others.

        Without a socket, as with servers that give none, nothing is watched.
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
        """End those whose time is up. To be called about once a second."""
        now = self._clock()
        with self._lock:
            for upload in self._under_way:
                if now >= upload.ends:
                    upload.end()

    def make_way(self) -> None:
        """End the one that has taken longest for its piece, if that is longer than PIECE_TIMEOUT_S."""
        latest = self._clock() - PIECE_TIMEOUT_S
        with self._lock:
            slow = [upload for upload in self._under_way if upload.yields and not upload.cut and upload.began < latest]
            if slow:
                min(slow, key=lambda upload: upload.began).end()
