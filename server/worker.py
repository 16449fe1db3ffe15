"""gunicorn's threaded worker, with a stop that loses no request and a fair share of new connections.

See docs/decisions/0010-stop.md and 0015-overload.md.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from gunicorn.workers.gthread import (  # type: ignore[import-untyped]
    STOP_KEEPALIVE_LINGER,
    ThreadWorker,
)

from server import instance, readiness
from server.allocator import release
from server.balance import ABSENT, Share, pause
from server.listener import begin_no_connection, has_waiting
from server.refusals import is_client_s, refuse
from web.logs import log_event

if TYPE_CHECKING:
    from web.process import Served

_LOG = logging.getLogger("dermserve.stop")
#: systemd signals all processes of a service at once: wait this long for the arbiter to mark that the instance stops
_MARK_S = 0.5
#: time for a request's first line and headers, which nginx sends at once
_HEADERS_S = 10.0
#: Release memory after this many seconds without an analysis. The next analysis has to ask for it again.
_REST_S = 1.0
#: Under load, release memory this often: a heap from which nothing is ever released becomes fragmented.
_LONGEST_HELD_S = 20.0
#: time for handshakes that have begun; a client sends its dropped first segment again after a second, so less than that
_HANDSHAKES_S = 0.5


class DrainingWorker(ThreadWorker):  # type: ignore[misc]
    """After SIGTERM it accepts for the stop delay, then takes what waits, closes the listening socket and finishes.

    It closes the socket only when the whole instance stops. A worker that is replaced (HUP, a changed number of
    workers, ``max_requests``) leaves the socket, and all that waits on it, to its siblings.
    """

    #: set by the arbiter before the fork: this worker's number, and its entry in the connection counts
    number: int = 0
    share: Share | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._open = 0
        self._leaving = False
        self._ended = 0
        self._last_ended = 0.0
        self._held_since: float | None = None
        super().__init__(*arguments, **named)

    @property
    def nr_conns(self) -> int:
        """gunicorn's count of this worker's connections. Only its loop changes it; siblings see it."""
        return self._open

    @nr_conns.setter
    def nr_conns(self, count: int) -> None:
        self._open = count
        self._report_connections()

    def accept(self, listener: Any) -> None:
        """Take a new connection, unless a sibling has fewer."""
        if self.share is not None and not self._leaving and self.share.should_wait():
            pause()
        else:
            super().accept(listener)

    def run(self) -> None:
        """Serve until a signal ends the worker."""
        if self._is_stopping():  # SIGTERM came after the fork, before this process could hear it
            self.handle_exit(signal.SIGTERM, None)
        super().run()

    def handle_exit(self, sig: int, frame: object) -> None:
        """SIGTERM, which may come twice: from systemd, then from the arbiter."""
        if not self._leaving:
            self._leaving = True
            self.method_queue.defer(self._leave)

    def handle_quit(self, sig: int, frame: object) -> None:
        """SIGINT or SIGQUIT: end now. Python's own exit would wait for threads that handle requests."""
        os._exit(0)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Called by ``run`` at its beginning, to pause, and when its loop has ended."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            self._finish_connections()

    def murder_pending(self) -> None:
        """Called in each round of the loop, at least once a second: do what is due."""
        super().murder_pending()
        self._application.cut_overdue()
        self._rest()
        self._report_connections()

    def handle(self, conn: Any) -> Any:
        """Handle one request of ``conn``, in a thread, with a deadline for reading its headers."""
        with ExitStack() as conn.reading_headers:
            conn.reading_headers.enter_context(self._application.reading(conn.sock, _HEADERS_S))
            return super().handle(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """The headers are read."""
        conn.reading_headers.close()
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer a request that never reached the application, or whose handling failed, with the error object."""
        if req is not None and is_client_s(exc):
            return  # the request was answered; the rest of its body, which nobody read, is malformed
        refuse(client, exc, self._application)

    def _rest(self) -> None:
        """Release memory after a moment without an analysis, and at intervals under load."""
        ended, now = self._application.analyses_ended(), time.monotonic()
        if self._application.is_busy() or ended != self._ended:
            self._ended, self._last_ended = ended, now
            self._held_since = self._held_since or now
        if self._held_since and (now > self._last_ended + _REST_S or now > self._held_since + _LONGEST_HELD_S):
            self._held_since = None
            release()

    def _report_connections(self) -> None:
        """Let siblings see this worker's connections. While it loads or leaves they see none that serves."""
        if self.share is not None:
            serving = self.wsgi is not None and self._application.is_ready() and not self._leaving
            self.share.report(self._open if serving else ABSENT)

    @property
    def _application(self) -> Served:
        return self.wsgi.extensions["dermserve-served"]  # type: ignore[no-any-return]

    def _is_stopping(self) -> bool:
        """Whether the whole instance stops, not this worker alone."""
        own = instance.current()
        return own is not None and readiness.is_stopping(own.folder)

    def _leave(self) -> None:
        self.max_keepalived = 0  # gunicorn then ends each answer with `Connection: close`
        stopping = self._is_stopping()
        delay = self._application.stop_delay_s()
        log_event(_LOG, "leaving", instance_stops=stopping, delay_s=delay)
        self._later(delay if stopping else max(delay, _MARK_S), self._shut)

    def _shut(self) -> None:
        if self._is_stopping() and all(begin_no_connection(listener) for listener in self.sockets):
            self._later(_HANDSHAKES_S, self._end_loop)
        else:
            self._end_loop()

    def _end_loop(self) -> None:
        self.alive = False

    def _finish_connections(self) -> None:
        """Take what waits in the queue. Do not wait for clients that have connected but asked nothing."""
        soon = time.monotonic() + STOP_KEEPALIVE_LINGER
        for connection in self.pending_conns:
            connection.timeout = min(connection.timeout, soon)
        if self._is_stopping():
            for listener in self.sockets:
                while has_waiting(listener):
                    self.accept(listener)
                listener.close()

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        """Run ``action`` in the loop's thread, after ``seconds``."""
        timer = threading.Timer(seconds, self.method_queue.defer, (action,))
        timer.daemon = True
        timer.start()
