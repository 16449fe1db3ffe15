"""gunicorn's threaded worker, with a stop that loses no request, a fair share of new connections, and deadlines.

See docs/decisions/0010-stop.md and 0015-overload.md.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from gunicorn.workers.gthread import (  # type: ignore[import-untyped]
    STOP_KEEPALIVE_LINGER,
    ThreadWorker,
)

from server.instance import Instance, current
from server.memory import release_memory
from server.refusals import is_client_fault, refuse
from web.logs import log_event

if TYPE_CHECKING:
    from web.process import Served

_LOG = logging.getLogger("dermserve.stop")
#: systemd signals all processes of a service at once: wait this long for the arbiter to mark that the instance stops
_MARK_S = 0.5
#: time for a request's first line and headers, which nginx sends at once
_HEADERS_S = 10.0
#: A sibling that does not take a connection in this time is busy: this worker then takes it.
_LEAVE_S = 0.02
_LOOK_S = 0.0005
#: a connection that waits this long after the last look is another one
_SAME_S = 0.05
#: Release memory after this many seconds without an analysis. The next analysis has to ask for it again.
_REST_S = 1.0
#: Under load, release memory this often: a heap from which nothing is ever released becomes fragmented.
_LONGEST_HELD_S = 20.0


class DrainingWorker(ThreadWorker):  # type: ignore[misc]
    """After SIGTERM it accepts for the stop delay, then takes what waits, closes the listening socket and finishes.

    It closes the socket only when the whole instance stops. A worker that is replaced (HUP, a changed number of
    workers, ``max_requests``) leaves the socket, and all that waits on it, to its siblings.
    """

    #: set by the arbiter before the fork
    number: int = 0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._leaving = False
        self._ended = 0
        self._last_ended = 0.0
        self._held_since: float | None = None
        self._left_since = self._looked = 0.0
        super().__init__(*arguments, **named)

    def accept(self, listener: Any) -> None:
        """Take a new connection, unless a sibling has fewer: then leave it to that one for a moment."""
        if not self._leaving and self._instance.sibling_has_fewer() and self._sibling_has_time():
            time.sleep(_LOOK_S)
        else:
            super().accept(listener)

    def _sibling_has_time(self) -> bool:
        """Whether a sibling still has time to take the connection that waits."""
        now = time.monotonic()
        if now - self._looked > _SAME_S:
            self._left_since = now
        self._looked = now
        if now - self._left_since > _LEAVE_S:
            self._looked = 0.0  # the next connection is left to a sibling again
            return False
        return True

    def run(self) -> None:
        """Serve until a signal ends the worker."""
        if self._instance.is_stopping():  # SIGTERM came after the fork, before this process could hear it
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
        can_analyse = self._application.is_ready() and not self._leaving
        self._instance.report_connections(self.nr_conns, accepting=can_analyse)

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
        if req is not None and is_client_fault(exc):
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
            release_memory()

    @property
    def _application(self) -> Served:
        return self.wsgi.extensions["dermserve-served"]  # type: ignore[no-any-return]

    @property
    def _instance(self) -> Instance:
        instance = current()
        assert instance is not None  # gunicorn.conf.py makes it before the fork
        return instance

    def _leave(self) -> None:
        self.max_keepalived = 0  # gunicorn then ends each answer with `Connection: close`
        stopping, delay = self._instance.is_stopping(), self._application.stop_delay_s()
        log_event(_LOG, "leaving", instance_stops=stopping, delay_s=delay)
        wait = delay if stopping else max(delay, _MARK_S)
        timer = threading.Timer(wait, self.method_queue.defer, (self._end_loop,))  # which runs in the loop's thread
        timer.daemon = True
        timer.start()

    def _end_loop(self) -> None:
        self.alive = False

    def _finish_connections(self) -> None:
        """Take what waits in the queue. Do not wait for clients that have connected but asked nothing."""
        soon = time.monotonic() + STOP_KEEPALIVE_LINGER
        for connection in self.pending_conns:
            connection.timeout = min(connection.timeout, soon)
        if self._instance.is_stopping():
            for listener in self.sockets:
                self._empty(listener)
                listener.close()

    def _empty(self, listener: Any) -> None:
        """Accept until no connection waits."""
        held = -1
        while self.nr_conns != held:
            held = self.nr_conns
            super().accept(listener)
