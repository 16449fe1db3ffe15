"""The application, as the process that serves it sees it."""

from __future__ import annotations

import json
import logging
import socket
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from web.errors import HTTP_FAILURES, Failure, error_body, failure_of
from web.http import DEFAULT_HEADERS
from web.logs import log_event, request_id
from web.process import State
from web.services import Services

_LOG = logging.getLogger("dermserve.access")


@dataclass(frozen=True)
class Refusal:
    """The answer to a request that does not reach the application."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Served:
    """What the server may ask of the application, from any thread."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def start(self, on_instance_ready: Callable[[], None]) -> None:
        """Load in the background. The process that makes the instance ready calls ``on_instance_ready``, once."""
        self._services.start(on_instance_ready)

    def is_ready(self) -> bool:
        """Whether this process can analyse."""
        return self._services.state is State.READY

    def stop_delay_s(self) -> int:
        """Seconds to go on accepting after SIGTERM."""
        return self._services.stop_delay_s()

    def is_busy(self) -> bool:
        """Whether an analysis runs or waits."""
        return self._services.gate.inside > 0

    def analyses_ended(self) -> int:
        """How many analyses have ended in this process."""
        return self._services.gate.left

    def reading(self, sock: socket.socket, seconds: float) -> AbstractContextManager[object]:
        """Within this context the client of ``sock`` has ``seconds`` to send. See ``cut_overdue``."""
        return self._services.uploads.watch(sock, seconds)

    def cut_overdue(self) -> None:
        """End the uploads that take too long. To be called about once a second."""
        self._services.uploads.cut_overdue()

    def refusal(self, error: Exception, reason: tuple[int, str] | None) -> Refusal:
        """The answer to a request that ``error`` ended, and a line in the log.

        ``reason`` is (status, message) for a request that was malformed, None for a fault of ours.
        """
        identity = uuid.uuid4().hex
        token = request_id.set(identity)
        try:
            failure = _malformed(*reason) if reason else failure_of(error)
        finally:
            request_id.reset(token)
        headers = {"Content-Type": "application/json", "X-Request-ID": identity, **DEFAULT_HEADERS}
        return Refusal(failure.status, headers, json.dumps(error_body(failure, identity)).encode())


def _malformed(status: int, message: str) -> Failure:
    # Nothing of what was sent is written: it may be the rest of a photo.
    log_event(_LOG, "malformed_request", level=logging.WARNING, status=status)
    return Failure(status, HTTP_FAILURES[400][0], message, {})
