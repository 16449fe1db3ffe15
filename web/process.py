"""The interface between the server and the application. ``Process`` describes the running process to the application.
``Served`` is the part of the application that the server may use. They use nothing else of each other."""

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
    from settings import Settings
    from web.services import Services

_LOG = logging.getLogger("dermserve.access")


class State(StrEnum):
    """The state of one worker process."""

    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    DISABLED = "disabled"


@dataclass(frozen=True)
class Instance:
    """The state of all processes of this service on one machine. A stopping instance is not ready, but still answers
    the requests that reach it."""

    ready: bool
    workers_ready: int
    workers_expected: int
    stopping: bool = False


class Generation(Protocol):
    """What the workers of one start or reload serve."""

    @property
    def settings(self) -> Settings:
        """The settings, with the index and the encoder that were chosen."""
        ...

    def release(self) -> None:
        """Called when the last of these workers has ended."""
        ...


class Readiness(Protocol):
    """Shares the states of the instance's processes."""

    def publish(self, state: State) -> bool:
        """Publish this process's state. True if this makes the instance ready for the first time."""
        ...

    def was_ready(self) -> bool:
        """Whether the instance has been ready at any time."""
        ...

    def instance(self) -> Instance: ...


@dataclass(frozen=True)
class Memory:
    """Memory of a process, in bytes. ``proportional`` divides each shared page by the number of processes that share
    it; None if the kernel does not report it."""

    resident: int
    proportional: int | None


@dataclass(frozen=True)
class Process:
    """One process of an instance.

    ``number`` starts at 0; a new process gets the number of a process that has ended. ``folder`` is shared by all
    processes of the instance; None if there is only one process. ``intra_op_threads`` is the number of threads that
    compute one analysis. ``thread_plan`` is the object that /health/ready shows. ``memory`` returns the memory of each
    process of the instance, by process id.
    """

    number: int
    folder: Path | None
    readiness: Readiness
    intra_op_threads: int
    thread_plan: Mapping[str, Any]
    memory: Callable[[], Mapping[int, Memory]]


@dataclass(frozen=True)
class Refusal:
    """The answer to a request that did not reach the application, or that failed outside it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Served:
    """The interface of the application for the server. Any thread may use it."""

    def __init__(self, services: Services, headers: Mapping[str, str]) -> None:
        """``headers`` are added to every refusal."""
        self._services = services
        self._headers = headers

    def start(self, on_instance_ready: Callable[[], None]) -> None:
        """Start loading in the background. ``on_instance_ready`` is called once, by the process that loads last."""
        self._services.start(on_instance_ready)

    def is_ready(self) -> bool:
        """Whether this process can analyse."""
        return self._services.state is State.READY

    def stop_delay_s(self) -> int:
        """Seconds to accept connections after SIGTERM; 0 if the instance was never ready."""
        return self._services.settings.stop_delay_s if self._services.process.readiness.was_ready() else 0

    def is_busy(self) -> bool:
        """Whether an analysis is running or waiting."""
        return self._services.gate.inside > 0

    def analyses_ended(self) -> int:
        """Number of analyses that have ended in this process."""
        return self._services.gate.left

    def reading(self, sock: socket.socket, seconds: float) -> AbstractContextManager[object]:
        """A context in which the client of ``sock`` has ``seconds`` to send its data. ``cut_overdue`` enforces it."""
        return self._services.uploads.watch(sock, seconds)

    def cut_overdue(self) -> None:
        """Stop the uploads that take too long. Call this about once a second."""
        self._services.uploads.cut_overdue()

    def refusal(self, error: Exception, reason: tuple[int, str] | None) -> Refusal:
        """The answer to a request that failed with ``error``. It also writes a log line.

        ``reason`` is (status, message) if the request is malformed, None if the service is at fault.
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
    # Do not log the received bytes: they may be part of a photo.
    log_event(_LOG, "malformed_request", level=logging.WARNING, status=status)
    return Failure(status, HTTP_FAILURES[400][0], message, {})
