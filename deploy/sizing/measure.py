"""Runs each probe in its own process and collects the measurements."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import psutil

from deploy.sizing.probe import MIB
from server.threads import thread_environment, usable_cores
from settings import load_or_exit

_REPOSITORY = Path(__file__).resolve().parents[2]
_MARK = "measured "
#: vectors in the measured index; the cost grows linearly with their number
INDEX_VECTORS = 10_000

IMPORTS = ("web", "opencv", "scikit-image", "pillow", "faiss", "pytorch", "tensorflow")
MODELS = ("encoder", "classifier", "faces")


class SizingError(Exception):
    """A probe failed. The message is one line that names the probe and the reason."""


@dataclass(frozen=True)
class Part:
    """Memory (MiB) and load time (seconds) of one part."""

    name: str
    mb: float
    seconds: float


@dataclass(frozen=True)
class WorkerCost:
    """Memory (MiB) of one of two workers, private and shared, and the cost of a request with one photo."""

    private_mb: float
    shared_mb: float
    pss_mb: float
    load_s: float
    request_peak_mb: float
    request_s: float
    request_cpu_s: float
    photo_mb: float


@dataclass(frozen=True)
class Measured:
    """All measurements, and a description of the host."""

    python_mb: float
    imports: tuple[Part, ...]
    models: tuple[Part, ...]
    index: Part
    worker: WorkerCost
    host: dict[str, str] = field(default_factory=dict)


def measure(report: Callable[[str], None]) -> Measured:
    """Run all probes. ``report`` receives the name of each step. Raises SizingError, for example without models."""
    report("imports")
    imports = tuple(measure_import(name) for name in IMPORTS)
    report("models")
    models = tuple(Part(name, **_run("model", name)) for name in MODELS)
    report("index")
    index = measure_index(INDEX_VECTORS)
    report("two workers")
    return Measured(_bare_python_mb(), imports, models, index, _workers(), _host())


def measure_import(name: str) -> Part:
    """Measure the import of one framework, with numpy if it needs it."""
    return Part(name, **_run("import", name))


def measure_index(vectors: int) -> Part:
    """Measure a search index that is completely in memory."""
    cost = _run("index", str(vectors))
    return Part(f"index of {vectors:,} vectors", cost["mb"], cost["seconds"])


def _bare_python_mb() -> float:
    with _start(code="import sys; print('measured {}', flush=True); sys.stdin.read()") as bare:
        _read(bare, "python")
        return float(psutil.Process(bare.pid).memory_info().rss) / MIB


def _workers() -> WorkerCost:
    """Measure two workers that run at the same time, because only then is their shared memory visible."""
    with ExitStack() as both:
        workers = [both.enter_context(_start("worker")) for _ in range(2)]
        loaded = [_read(worker, "worker") for worker in workers]
        held = [psutil.Process(worker.pid).memory_full_info() for worker in workers]
        requests = _ask(workers[0])
    private = sum(memory.uss for memory in held) / len(held) / MIB
    resident = sum(memory.rss for memory in held) / len(held) / MIB
    return WorkerCost(
        private_mb=private,
        shared_mb=resident - private,
        pss_mb=sum(memory.pss for memory in held) / len(held) / MIB,
        load_s=max(cost["seconds"] for cost in loaded),
        request_peak_mb=requests["peak_mb"],
        request_s=requests["wall_s"],
        request_cpu_s=requests["cpu_s"],
        photo_mb=requests["photo_mb"],
    )


def _run(*arguments: str) -> dict[str, float]:
    with _start(*arguments) as probe:
        return _read(probe, " ".join(arguments))


def _ask(worker: subprocess.Popen[str]) -> dict[str, float]:
    assert worker.stdin is not None
    worker.stdin.write("\n")
    worker.stdin.flush()
    return _read(worker, "worker")


def _read(probe: subprocess.Popen[str], name: str) -> dict[str, float]:
    assert probe.stdout is not None
    last = ""
    for line in probe.stdout:
        if line.startswith(_MARK):
            return {key: float(value) for key, value in json.loads(line.removeprefix(_MARK)).items()}
        last = line.strip() or last
    raise SizingError(f"the probe '{name}' failed: {last or 'no output'}")


@contextmanager
def _start(*arguments: str, code: str | None = None) -> Iterator[subprocess.Popen[str]]:
    """Start a probe, and end it with the block."""
    what = ["-c", code] if code else ["-m", "deploy.sizing.probe", *arguments]
    probe = subprocess.Popen(
        [sys.executable, *what],
        cwd=_REPOSITORY,
        env=os.environ | dict(thread_environment(load_or_exit())),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with probe:
        try:
            yield probe
        finally:
            probe.kill()


def _host() -> dict[str, str]:
    names = ("torch", "tensorflow-cpu", "faiss-cpu", "opencv-python-headless", "scikit-image")
    return {
        "machine": f"{platform.system()} {platform.machine()}, {usable_cores()} cores",
        "python": platform.python_version(),
        **{name: _version(name) for name in names},
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
