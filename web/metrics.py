"""The numbers that operators watch. All workers count into one folder, so that any of them can answer for all.

Nothing here fails a request: where the files cannot be kept, nothing is counted, and ``Metrics.page`` says so.
"""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

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
_NOT_KEPT = "This instance cannot keep metrics. Its log has the reason, in the line metrics_off."
#: the stages that are timed, in their order
STAGES = ("queue", "decode", "faces", "encode", "search", "classify", "measure", "total")
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
#: Bytes of each of a worker's files. prometheus_client writes through memory maps of sparse files: on a full disk
#: that kills the process with SIGBUS, which cannot be caught. So the space is allocated beforehand, and it is more than
#: all routes, statuses, stages, models and indexes of one service can fill.
_FILE_BYTES: Mapping[str, int] = {
    "counter": 2**18,
    "histogram": 2**18,
    "gauge_livesum": 2**16,
    "gauge_livemax": 2**16,
}


class Metrics:
    """This process's counters. With a folder that workers share, ``page`` has the counts of all of them.

    Only one of these may be in use in a process: prometheus_client has one kind of value for all its metrics.
    """

    def __init__(self, shared: Path | None = None, worker: int = 0) -> None:
        """``shared`` is the folder that workers share. ``worker`` is this worker's number: unlike a process id it is
        used again, and its files with it."""
        self._folder = shared and shared / _FOLDER
        self._registry = CollectorRegistry()
        self.kept = True
        with self._harmless():
            _choose_values(self._folder, worker)
            self._make()

    def _make(self) -> None:
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
        self._waiting = self._gauge("livesum", "waiting", "Analyses admitted that do not run yet.")
        self._running = self._gauge("livesum", "running", "Analyses that are being computed.")
        labels = ("name", "version", "framework", "engine")
        self._models = self._gauge("livemax", "model_info", "1 for each loaded model.", labels)
        labels = ("name", "dataset", "synthetic", "built_at")
        self._index = self._gauge("livemax", "index_info", "1 for the loaded index.", labels)

    def _gauge(
        self, mode: Literal["livesum", "livemax"], name: str, meaning: str, labels: tuple[str, ...] = ()
    ) -> Gauge:
        return Gauge(f"dermserve_{name}", meaning, labels, registry=self._registry, multiprocess_mode=mode)

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        """An error within this context switches the metrics of this process off. It never fails the request."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a request is worth more than its count
            if self.kept:
                self.kept = False
                log_event(_LOG, "metrics_off", level=logging.WARNING, error=type(error).__name__, exc_info=error)

    def request(self, route: str, status: int) -> None:
        """Count one answer. ``route`` is the template, never the address: it must have few values."""
        with self._harmless():
            self._requests.labels(route, str(status)).inc()

    def stages(self, milliseconds: Mapping[str, float]) -> None:
        """Count an answered analysis. Names that are not in STAGES are left out."""
        with self._harmless():
            for stage in STAGES:
                if stage in milliseconds:
                    self._stages.labels(stage).observe(milliseconds[stage] / 1e3)

    def shed(self) -> None:
        """Count a request that was refused because the service was full."""
        with self._harmless():
            self._shed.inc()

    def client_gone(self) -> None:
        """Count an analysis whose client left before the answer."""
        with self._harmless():
            self._client_gone.inc()

    def load(self, waiting: int, running: int) -> None:
        """How many requests wait and run in this worker now."""
        with self._harmless():
            self._waiting.set(waiting)
            self._running.set(running)

    def loaded(self, models: Iterable[ModelCard], index: IndexInfo | None) -> None:
        """The models and the index that this worker uses."""
        with self._harmless():
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
            # The folder is gone, or a worker has no files for lack of space: half of the counts would mislead.
            raise UnavailableError(_NOT_KEPT) from error
        return counts + generate_latest(_MemoryCollector(memory)), CONTENT_TYPE_LATEST

    def _all_workers(self) -> CollectorRegistry:
        if self._folder is None:
            return self._registry
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self._folder))  # type: ignore[no-untyped-call]
        return registry


def forget(shared: Path, worker: int) -> None:
    """Remove what a dead worker held. What it has counted stays, for the next worker of that number."""
    mark_process_dead(worker, str(shared / _FOLDER))  # type: ignore[no-untyped-call]


def _choose_values(folder: Path | None, worker: int) -> None:
    """Decide where metrics that are made from now on keep their numbers: in memory, or in files of ``folder``."""
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
    """The memory of each process, by its id."""

    def __init__(self, memory: Mapping[int, Memory]) -> None:
        self._memory = memory

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for kind, meaning in (("resident", "shared pages counted in full"), ("proportional", "shared pages divided")):
            name, text = f"dermserve_worker_{kind}_bytes", f"A worker's {kind} memory, {meaning}."
            family = GaugeMetricFamily(name, text, labels=("pid",))
            for pid, memory in self._memory.items():
                amount: int | None = getattr(memory, kind)
                if amount is not None:
                    family.add_metric((str(pid),), amount)
            yield family
