"""The numbers that operators watch. All workers count into one folder, so that any of them can answer for all.

Nothing here fails a request: where the files cannot be kept, nothing is counted, and ``Metrics.page`` says so.
"""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Concatenate, Literal, ParamSpec

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from ml.values import IndexInfo, ModelCard
from web.errors import UnavailableError
from web.logs import log_event
from web.process import Memory

_LOG = logging.getLogger("dermserve.metrics")
_FOLDER = "metrics"
_NOT_KEPT = "Metrics cannot be kept on this instance: the log says why."
#: what is timed, in the order of a request's way
STAGES = ("queue", "decode", "faces", "encode", "search", "classify", "measure", "total")
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
#: Bytes of each of a worker's files. prometheus_client writes through memory maps of sparse files: on a full disk
#: that kills the process with SIGBUS, whatever is caught. So the room is taken beforehand, and it is more than all
#: routes, statuses, stages, models and indexes of one service can fill.
_FILE_BYTES: Mapping[str, int] = {
    "counter": 2**18,
    "histogram": 2**18,
    "gauge_livesum": 2**16,
    "gauge_livemax": 2**16,
}

_MODEL_LABELS = ("name", "version", "framework", "engine")
_INDEX_LABELS = ("name", "dataset", "synthetic", "built_at")

_P = ParamSpec("_P")


def _harmless(
    count: Callable[Concatenate[Metrics, _P], None],
) -> Callable[Concatenate[Metrics, _P], None]:
    """Keep what goes wrong while counting from what is counted."""

    @wraps(count)
    def guarded(self: Metrics, /, *arguments: _P.args, **named: _P.kwargs) -> None:
        if not self.kept:
            return
        try:
            count(self, *arguments, **named)
        except Exception as error:  # noqa: BLE001 - a request is worth more than its count
            self.kept = False
            log_event(_LOG, "metrics_off", level=logging.WARNING, error=type(error).__name__, exc_info=error)

    return guarded


class Metrics:
    """This process's counters. With the folder that workers share, ``page`` tells of all of them.

    One of these is in use in a process at a time: prometheus_client has one kind of value for all its metrics.
    """

    def __init__(self, shared: Path | None = None, worker: int = 0) -> None:
        """``shared`` is the folder that workers share. ``worker`` is this worker's number: unlike a process id it is
        used again, and its files with it."""
        self._folder = shared and shared / _FOLDER
        self._registry = CollectorRegistry()
        self.kept = True
        self._make(worker)

    @_harmless
    def _make(self, worker: int) -> None:
        _choose_values(self._folder, worker)
        own = self._registry
        self._requests = Counter(
            "dermserve_requests", "Answers, by route and status.", ("route", "status"), registry=own
        )
        self._shed = Counter("dermserve_shed", "Requests refused because the service was full.", registry=own)
        self._client_gone = Counter(
            "dermserve_client_gone", "Analyses given up because the client had left.", registry=own
        )
        self._stages = Histogram(
            "dermserve_stage_seconds",
            "Time of each stage of the analyses that were answered; total: since arrival.",
            ("stage",),
            buckets=_BUCKETS_S,
            registry=own,
        )
        self._waiting = self._gauge("livesum", "dermserve_waiting", "Analyses admitted that do not run yet.")
        self._running = self._gauge("livesum", "dermserve_running", "Analyses that are being computed.")
        self._models = self._gauge("livemax", "dermserve_model_info", "1 for each loaded model.", _MODEL_LABELS)
        self._index = self._gauge("livemax", "dermserve_index_info", "1 for the loaded index.", _INDEX_LABELS)

    def _gauge(
        self, mode: Literal["livesum", "livemax"], name: str, meaning: str, labels: tuple[str, ...] = ()
    ) -> Gauge:
        return Gauge(name, meaning, labels, registry=self._registry, multiprocess_mode=mode)

    @_harmless
    def request(self, route: str, status: int) -> None:
        """Count one answer. ``route`` is the template, never the address: its values must stay few."""
        self._requests.labels(route, str(status)).inc()

    @_harmless
    def stages(self, milliseconds: Mapping[str, float]) -> None:
        """Count an answered analysis. Names that are not in STAGES are left out."""
        for stage in STAGES:
            if stage in milliseconds:
                self._stages.labels(stage).observe(milliseconds[stage] / 1e3)

    @_harmless
    def shed(self) -> None:
        self._shed.inc()

    @_harmless
    def client_gone(self) -> None:
        self._client_gone.inc()

    @_harmless
    def load(self, waiting: int, running: int) -> None:
        """What this worker's gate holds now."""
        self._waiting.set(waiting)
        self._running.set(running)

    @_harmless
    def loaded(self, models: Iterable[ModelCard], index: IndexInfo | None) -> None:
        """What this worker analyses with."""
        for card in models:
            self._models.labels(card.name, card.version, card.framework, card.engine).set(1)
        if index is not None:
            synthetic = str(index.synthetic).lower()
            self._index.labels(index.name, index.dataset, synthetic, index.built_at).set(1)

    def page(self, memory: Mapping[int, Memory]) -> tuple[bytes, str]:
        """(Prometheus's text format, its media type): all counts, and the ``memory`` of processes by their ids.

        Raises UnavailableError if they are not kept.
        """
        if not self.kept:
            raise UnavailableError(_NOT_KEPT)
        try:
            counts = generate_latest(self._all_workers())
        except (OSError, ValueError, RuntimeError, struct.error) as error:
            # The folder is gone, or a worker found no room for its files: better no page than the half of one.
            raise UnavailableError(_NOT_KEPT) from error
        return counts + generate_latest(_MemoryCollector(memory)), CONTENT_TYPE_LATEST

    def _all_workers(self) -> CollectorRegistry:
        if self._folder is None:
            return self._registry
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self._folder))  # type: ignore[no-untyped-call]
        return registry


def forget(shared: Path, worker: int) -> None:
    """A dead worker holds nothing any more; what it has counted stays, for the one that gets its number."""
    mark_process_dead(worker, str(shared / _FOLDER))  # type: ignore[no-untyped-call]


def _choose_values(folder: Path | None, worker: int) -> None:
    """Where the metrics that are made from now on keep their numbers: in memory, or in files of ``folder``."""
    if folder is None:
        values.ValueClass = values.MutexValue
        return
    folder.mkdir(exist_ok=True)
    for kind, size in _FILE_BYTES.items():
        with (folder / f"{kind}_{worker}.db").open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.ValueClass = values.MultiProcessValue(lambda: worker)  # type: ignore[no-untyped-call]


class _MemoryCollector:
    """What each process holds, by its id."""

    def __init__(self, memory: Mapping[int, Memory]) -> None:
        self._memory = memory

    def collect(self) -> Iterable[GaugeMetricFamily]:
        found = self._memory
        yield _family("resident", "memory, shared pages counted in full", found, lambda memory: memory.resident)
        yield _family("proportional", "memory, shared pages divided", found, lambda memory: memory.proportional)


def _family(
    kind: str, meaning: str, found: Mapping[int, Memory], value: Callable[[Memory], int | None]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"dermserve_worker_{kind}_bytes", f"A worker's {kind} {meaning}.", labels=("pid",))
    for pid, memory in found.items():
        if (amount := value(memory)) is not None:
            family.add_metric((str(pid),), amount)
    return family
