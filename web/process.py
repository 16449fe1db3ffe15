"""What the process that runs the application tells it. The application knows nothing else of the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol


class State(StrEnum):
    """How far one process is."""

    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    DISABLED = "disabled"


@dataclass(frozen=True)
class Instance:
    """All processes together. An instance that stops is not ready, although it answers what still reaches it."""

    ready: bool
    workers_ready: int
    workers_expected: int
    stopping: bool = False


class Readiness(Protocol):
    """How far this process and the others of its instance are."""

    def publish(self, state: State) -> bool:
        """Make this process's state known. True if this made the instance ready for the first time."""
        ...

    def was_ready(self) -> bool:
        """Whether the instance has been ready at any time."""
        ...

    def instance(self) -> Instance:
        """All processes of the instance."""
        ...


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
