"""What this process tells the application that it runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from server.cores import service_cpus
from server.instance import current
from server.memory import memory_of
from server.readiness import OwnReadiness, SharedReadiness
from server.threads import thread_plan
from settings import Settings
from web.process import Memory, Process


def this_process(settings: Settings) -> Process:
    """A worker of gunicorn as gunicorn.conf.py has made it. Under any other server the process stands for itself."""
    instance = current()
    return process_of(settings, instance.folder, instance.number) if instance else process_of(settings)


def process_of(settings: Settings, folder: Path | None = None, number: int = 0) -> Process:
    """Process ``number`` of those that share ``folder``; without a folder, one that stands for itself."""
    readiness = SharedReadiness(folder, settings.gunicorn_workers) if folder else OwnReadiness()
    plan = thread_plan(settings)

    def memory() -> Mapping[int, Memory]:
        return {pid: held for pid in readiness.pids() if (held := memory_of(pid)) is not None}

    return Process(
        number=number,
        folder=folder,
        readiness=readiness,
        intra_op_threads=plan.intra_op,
        cpus=service_cpus(),
        thread_plan=plan.facts(),
        memory=memory,
    )
