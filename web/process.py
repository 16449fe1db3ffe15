"""The one interface between the server and the application: ``Process`` tells the application what runs it, ``Served``
is what the server may ask of the application. Neither knows anything else of the other."""

from __future__ import annotations

import json
import logging
import socket
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from web.errors import HTTP_FAILURES, Failure, error_body, failure_of
from web.logs import log_event, request_id

if TYPE_CHECKING:
    from web.services import Services

_LOG = logging.getLogger("dermserve.access")


class State(StrEnum):
    """What one process is doing."""

    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    DISABLED = "disabled"


@dataclass(frozen=True)
class Instance:
    """All processes together. While it stops, an instance is not ready, although it answers what still reaches it."""

    ready: bool
    workers_ready: int
    workers_expected: int
    stopping: bool = False


class Readiness(Protocol):
    """The states of this process and of the others of its instance."""

    def publish(self, state: State) -> bool:
        """Tell the others this process's state. True if this made the instance ready for the first time."""
        ...

    def was_ready(self) -> bool:
        """Whether the instance has been ready at any time."""
        ...

    def instance(self) -> Instance: ...


@dataclass(frozen=True)
class Memory:
    """Bytes. ``proportional`` divides each shared page among its processes; None where the kernel does not say."""

    resident: int
    proportional: int | None


@dataclass(frozen=True)
class Process:
    """One process of an instance.

    ``number`` counts from 0; a new process gets the number of one that has ended. ``folder`` is shared by all processes
    of the instance, None where there is only one. ``intra_op_threads`` compute one analysis. ``thread_plan`` is what
    /health/ready says of threads. ``memory`` gives what each process of the instance holds, by process id.
    """

    number: int
    folder: Path | None
    readiness: Readiness
    intra_op_threads: int
    thread_plan: Mapping[str, Any]
    memory: Callable[[], Mapping[int, Memory]]


@dataclass(frozen=True)
class Refusal:
    """The answer to a request that does not reach the application."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Served:
    """What the server may ask of the application, from any thread."""

    def __init__(self, services: Services, headers: Mapping[str, str]) -> None:
        """``headers`` belong to every answer."""
        self._services = services
        self._headers = headers

    def start(self, on_instance_ready: Callable[[], None]) -> None:
        """Load in the background. The process that makes the instance ready calls ``on_instance_ready``, once."""
        self._services.start(on_instance_ready)

    def is_ready(self) -> bool:
        """Whether this process can analyse."""
        return self._services.state is State.READY

    def stop_delay_s(self) -> int:
        """Seconds to go on accepting after SIGTERM: none on an instance that was never ready."""
        return self._services.settings.stop_delay_s if self._services.process.readiness.was_ready() else 0

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
        """Stop the uploads that take too long. Call it about once a second."""
        self._services.uploads.cut_overdue()

    def refusal(self, error: Exception, reason: tuple[int, str] | None) -> Refusal:
        """The answer to a request that ended in ``error``; the log gets a line.

        ``reason`` is (status, message) for a malformed request, None for a fault of ours.
        """
        identity = uuid.uuid4().hex
        token = request_id.set(identity)
        try:
            failure = _malformed(*reason) if reason else failure_of(error)
        finally:
            request_id.reset(token)
        headers = {"Content-Type": "application/json", "X-Request-ID": identity, **self._headers}
        return Refusal(failure.status, headers, json.dumps(error_body(failure, identity)).encode())


def _malformed(status: int, message: str) -> Failure:
    # The log says nothing of what was sent: it may be the rest of a photo.
    log_event(_LOG, "malformed_request", level=logging.WARNING, status=status)
    return Failure(status, HTTP_FAILURES[400][0], message, {})
