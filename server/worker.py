"""gunicorn's threaded worker with three additions: it stops without losing requests, it shares new connections evenly
with the other workers, and it limits the time of slow clients.

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

from server.instance import Instance, current
from server.memory import release_memory
from server.refusals import is_client_fault, refuse
from web.logs import log_event

if TYPE_CHECKING:
    from web.process import Served

_LOG = logging.getLogger("dermserve.stop")
#: systemd signals all processes of a service at once. Wait this long for the arbiter to call mark_stopping.
_MARK_S = 0.5
#: A worker that is replaced goes on serving until the new workers are loaded, at most this long. Check this often.
_LONGEST_REPLACED_S, _REPLACED_POLL_S = 120.0, 0.2
#: time limit for a request's first line and headers
_HEADERS_S = 10.0
#: Leave a waiting connection to another worker for this long. If no other worker has taken it then, take it.
_LEAVE_S = 0.02
#: the same for a worker that is still loading: a connection that it takes waits for the models
_LEAVE_WHILE_LOADING_S = 1.0
#: time between two checks for a waiting connection
_POLL_S = 0.0005
#: If the last check was longer ago than this, the waiting connection is a new one.
_SAME_S = 0.05
#: Release memory after this many seconds without an analysis. The next analysis must allocate it again.
_IDLE_S = 1.0
#: Under load, release memory this often: otherwise the heap becomes fragmented.
_LONGEST_HELD_S = 20.0


class DrainingWorker(ThreadWorker):  # type: ignore[misc]
    """After SIGTERM the worker accepts connections for the stop delay, then accepts those that still wait, closes the
    listening socket, and finishes its requests.

    It closes the socket only if the whole instance stops. A worker that is replaced (HUP, a changed number of workers,
    ``max_requests``) leaves the socket and the waiting connections to the other workers. At a HUP it goes on serving
    until the new workers are loaded.
    """

    #: the arbiter sets it before the fork
    number: int = 0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._leaving = False
        self._ending = False
        self._leave_at_latest = 0.0
        self._ended = 0
        self._last_ended = 0.0
        self._held_since: float | None = None
        self._waiting_since = self._last_check = 0.0
        super().__init__(*arguments, **named)

    def accept(self, listener: Any) -> None:
        """Take a new connection. If another worker has fewer connections, first give it a moment to take this one."""
        if not self._ending and self._instance.sibling_has_fewer() and self._sibling_has_time():
            time.sleep(_POLL_S)
        else:
            super().accept(listener)

    def _sibling_has_time(self) -> bool:
        """Whether another worker still has time to take the waiting connection."""
        now = time.monotonic()
        if now - self._last_check > _SAME_S:
            self._waiting_since = now
        self._last_check = now
        if now - self._waiting_since > (_LEAVE_S if self._application.is_ready() else _LEAVE_WHILE_LOADING_S):
            self._last_check = 0.0  # so that the next connection counts as a new one
            return False
        return True

    def run(self) -> None:
        """Serve until a signal ends the worker."""
        if self._instance.is_stopping():  # SIGTERM came after the fork, before this process had its handlers
            self.handle_exit(signal.SIGTERM, None)
        super().run()

    def handle_exit(self, sig: int, frame: object) -> None:
        """Handle SIGTERM. It may come twice: from systemd and from the arbiter."""
        if not self._leaving:
            self._leaving = True
            self._leave_at_latest = time.monotonic() + _LONGEST_REPLACED_S
            self.method_queue.defer(self._leave)

    def handle_quit(self, sig: int, frame: object) -> None:
        """Handle SIGINT or SIGQUIT: end now. A normal exit of Python would wait for the request threads."""
        os._exit(0)

    def set_accept_enabled(self, enabled: bool) -> None:
        """gunicorn's ``run`` calls this at its start, to pause accepting, and when its loop has ended."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            self._finish_connections()

    def murder_pending(self) -> None:
        """gunicorn calls this in each round of its loop, at least once a second. Run the periodic tasks."""
        super().murder_pending()
        self._application.cut_overdue()
        self._release_when_idle()
        can_analyse = self._application.is_ready() and not self._ending
        self._instance.report_connections(self.nr_conns, accepting=can_analyse)

    def handle(self, conn: Any) -> Any:
        """Handle one request of ``conn`` in a thread, with a time limit for its headers."""
        with ExitStack() as conn.reading_headers:
            conn.reading_headers.enter_context(self._application.reading(conn.sock, _HEADERS_S))
            return super().handle(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """gunicorn calls this when the headers have been read."""
        conn.reading_headers.close()
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer with the error object if a request did not reach the application, or failed outside it."""
        if req is not None and is_client_fault(exc):
            return  # the request was already answered; only the unread rest of its body is malformed
        refuse(client, exc, self._application)

    def _release_when_idle(self) -> None:
        """Release memory after a short time without an analysis, and at intervals under load."""
        ended, now = self._application.analyses_ended(), time.monotonic()
        if self._application.is_busy() or ended != self._ended:
            self._ended, self._last_ended = ended, now
            self._held_since = self._held_since or now
        if self._held_since and (now > self._last_ended + _IDLE_S or now > self._held_since + _LONGEST_HELD_S):
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
        """Begin to end, as soon as the instance stops or the new workers can analyse."""
        late = time.monotonic() > self._leave_at_latest
        if not (self._instance.is_stopping() or self._instance.is_replaced() or late):
            self._later(_REPLACED_POLL_S, self._leave)
            return
        self._ending = True
        self.max_keepalived = 0  # gunicorn then ends each answer with `Connection: close`
        stopping, delay = self._instance.is_stopping(), self._application.stop_delay_s()
        log_event(_LOG, "leaving", instance_stops=stopping, delay_s=delay)
        wait = delay if stopping else max(delay, _MARK_S)
        self._later(wait, self._end_loop)

    def _later(self, seconds: float, method: Callable[[], None]) -> None:
        """Call ``method`` in the loop's thread after this time."""
        timer = threading.Timer(seconds, self.method_queue.defer, (method,))
        timer.daemon = True
        timer.start()

    def _end_loop(self) -> None:
        self.alive = False

    def _finish_connections(self) -> None:
        """Accept all waiting connections. Do not wait long for connections that have not sent a request."""
        soon = time.monotonic() + STOP_KEEPALIVE_LINGER
        for connection in self.pending_conns:
            connection.timeout = min(connection.timeout, soon)
        if self._instance.is_stopping():
            for listener in self.sockets:
                self._accept_all(listener)
                listener.close()

    def _accept_all(self, listener: Any) -> None:
        """Accept connections until none is waiting."""
        held = -1
        while self.nr_conns != held:
            held = self.nr_conns
            super().accept(listener)
