"""The real service with two workers: started, given photos, and looked at."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

_READY = "DermServe is ready at "
_MIB = 2**20
_AT_ONCE = 4  # more than one worker takes, so that both get some
_ROUNDS = (5, 30)  # least and most, until both workers have worked
_WORKED_S = 0.5
_SETTLE_S = 2.0


@dataclass(frozen=True)
class WorkerMemory:
    """MiB: resident; with shared pages divided among those who share them; and private."""

    rss_mb: float
    pss_mb: float
    uss_mb: float


@dataclass(frozen=True)
class Holding:
    """What two workers hold after photos, and what the service does while nobody asks."""

    workers: tuple[WorkerMemory, ...]
    ready_s: float
    idle_cores: float
    engines: str

    @property
    def second_private_mb(self) -> float:
        """Private memory of a further worker: the lower of the two, as the other may hold more by chance."""
        return min(worker.uss_mb for worker in self.workers)


def hold(photos: Sequence[Path], settings: Mapping[str, str], idle_s: float) -> Holding:
    """Start the service, send it photos, and measure. Raises SystemExit with the service's words if it fails."""
    started = time.monotonic()
    with service(settings) as (url, process):
        ready_s = time.monotonic() - started
        workers = psutil.Process(process.pid).children()
        engines = _work(url, [photo.read_bytes() for photo in photos] or _made(), workers)
        time.sleep(_SETTLE_S)
        before = _cpu_seconds(process.pid)
        time.sleep(idle_s)
        idle_cores = (_cpu_seconds(process.pid) - before) / idle_s
        memory = tuple(_memory(worker) for worker in workers)
    return Holding(memory, ready_s, idle_cores, engines)


@contextmanager
def service(settings: Mapping[str, str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address and the process of a service that is ready, with two workers unless ``settings`` say otherwise."""
    two = {"GUNICORN_WORKERS": "2", "MAX_WORKERS": "2", "PORT": "0", "DERMSERVE_STOP_DELAY_S": "0"}
    gunicorn = str(Path(sys.executable).with_name("gunicorn"))
    process = subprocess.Popen(
        [gunicorn, "--config", "gunicorn.conf.py", "application:application"],
        env={**os.environ, **two, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield _wait_ready(process), process
    finally:
        process.terminate()
        process.wait()


def _wait_ready(process: subprocess.Popen[str]) -> str:
    said: list[str] = []
    assert process.stderr is not None
    for line in process.stderr:
        said.append(line)
        if line.startswith(_READY):
            # Read on, so that a full pipe never stops the service.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return line.removeprefix(_READY).split()[0]
    raise SystemExit("the service did not become ready:\n" + "".join(said[-10:]))


def _work(url: str, photos: Sequence[bytes], workers: Sequence[psutil.Process]) -> str:
    """Send rounds of photos until both workers have had some; returns the engines that the answers name."""
    before = [_own_cpu_seconds(worker) for worker in workers]
    for done in range(_ROUNDS[1]):
        with ThreadPoolExecutor(_AT_ONCE) as clients:
            batch = [photos[(done * _AT_ONCE + number) % len(photos)] for number in range(_AT_ONCE)]
            answers = list(clients.map(lambda photo: _analyse(url, photo), batch))
        worked = [_own_cpu_seconds(worker) - start for worker, start in zip(workers, before, strict=True)]
        if done + 1 >= _ROUNDS[0] and min(worked) > _WORKED_S:
            return answers[0]
    raise SystemExit("one of the workers was never given a photo")


def _analyse(url: str, photo: bytes) -> str:
    answer = requests.post(f"{url}/api/analyze/skin", files={"image": photo}, timeout=120)
    if answer.status_code != 200:
        raise SystemExit(f"the analysis failed: {answer.text}")
    return ", ".join(model["engine"] for model in answer.json()["models"])


def _made() -> list[bytes]:
    from deploy.rehearsal.client import photo_of

    return [photo_of(megapixels) for megapixels in (1, 2, 8)]


def _memory(worker: psutil.Process) -> WorkerMemory:
    held = worker.memory_full_info()
    return WorkerMemory(held.rss / _MIB, held.pss / _MIB, held.uss / _MIB)


def _own_cpu_seconds(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def _cpu_seconds(pid: int) -> float:
    parent = psutil.Process(pid)
    return sum(_own_cpu_seconds(process) for process in (parent, *parent.children(recursive=True)))
