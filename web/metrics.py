"""Prometheus metrics. All workers write to one folder, so each of them can report the metrics of all.

A failure here never fails an analysis: it switches metrics off, and ``Metrics.page`` reports that.
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
_NOT_KEPT = "This instance cannot keep metrics. See the event metrics_off in its log."
#: the stages that are timed, in their order
STAGES = ("queue", "decode", "faces", "encode", "search", "classify", "measure", "total")
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
#: Bytes of each file of a worker. prometheus_client writes through memory maps of sparse files. On a full disk, such a
#: write kills the process with SIGBUS. So the space is allocated beforehand. It is enough for all routes, statuses,
#: stages, models and indexes of one service.
_FILE_BYTES: Mapping[str, int] = {
    "counter": 2**18,
    "histogram": 2**18,
    "gauge_livesum": 2**16,
    "gauge_livemax": 2**16,
}


class Metrics:
    """The metrics of this process. With a shared folder, ``page`` reports the metrics of all workers.

    A process may use only one object: prometheus_client has one global setting for where values are stored.
    """

    def __init__(self, shared: Path | None = None, worker: int = 0) -> None:
        """``shared`` is the folder that workers share. ``worker`` is this worker's number; a replacement worker gets
        the same number and continues the same files."""
        self._folder = shared and shared / _FOLDER
        self._registry = CollectorRegistry()
        self.kept = True
        with self._errors_disable_metrics():
            _choose_storage(self._folder, worker)
            self._define_metrics()

    def _define_metrics(self) -> None:
        own = self._registry
        self._requests = Counter(
            "dermserve_requests", "Answers, by route and status.", ("route", "status"), registry=own
        )
        self._shed = Counter("dermserve_shed", "Requests refused because the service was full.", registry=own)
        self._client_gone = Counter(
            "dermserve_client_gone", "Analyses stopped because the client closed the connection.", registry=own
        )
        self._stages = Histogram(
            "dermserve_stage_seconds",
            "Duration of each stage of successful analyses. The stage total counts from the request's arrival.",
            ("stage",),
            buckets=_BUCKETS_S,
            registry=own,
        )
        self._waiting = self._gauge("livesum", "waiting", "Admitted analyses that wait for a core.")
        self._running = self._gauge("livesum", "running", "Analyses that are running.")
        labels = ("name", "version", "framework", "engine")
        self._models = self._gauge("livemax", "model_info", "1 for each loaded model.", labels)
        labels = ("name", "dataset", "synthetic", "built_at")
        self._index = self._gauge("livemax", "index_info", "1 for the loaded index.", labels)

    def _gauge(
        self, mode: Literal["livesum", "livemax"], name: str, meaning: str, labels: tuple[str, ...] = ()
    ) -> Gauge:
        return Gauge(f"dermserve_{name}", meaning, labels, registry=self._registry, multiprocess_mode=mode)

    @contextmanager
    def _errors_disable_metrics(self) -> Iterator[None]:
        """Catch an error in this context and switch the metrics of this process off."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a request is worth more than its count
            if self.kept:
                self.kept = False
                log_event(_LOG, "metrics_off", level=logging.WARNING, error=type(error).__name__, exc_info=error)

    def request(self, route: str, status: int) -> None:
        """Count one answer. ``route`` is the route's template, not the requested path: each value makes a series."""
        with self._errors_disable_metrics():
            self._requests.labels(route, str(status)).inc()

    def stages(self, milliseconds: Mapping[str, float]) -> None:
        """Record the stage times of a successful analysis. Names that are not in STAGES are ignored."""
        with self._errors_disable_metrics():
            for stage in STAGES:
                if stage in milliseconds:
                    self._stages.labels(stage).observe(milliseconds[stage] / 1e3)

    def shed(self) -> None:
        """Count a request that was refused because the service was full."""
        with self._errors_disable_metrics():
            self._shed.inc()

    def client_gone(self) -> None:
        """Count an analysis that stopped because the client closed the connection."""
        with self._errors_disable_metrics():
            self._client_gone.inc()

    def load(self, waiting: int, running: int) -> None:
        """Set how many requests of this worker wait and run now."""
        with self._errors_disable_metrics():
            self._waiting.set(waiting)
            self._running.set(running)

    def loaded(self, models: Iterable[ModelCard], index: IndexInfo | None) -> None:
        """Set the models and the index that this worker uses."""
        with self._errors_disable_metrics():
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
    """Remove a dead worker's gauges. Its counters stay; the next worker with that number continues them."""
    mark_process_dead(worker, str(shared / _FOLDER))  # type: ignore[no-untyped-call]


def _choose_storage(folder: Path | None, worker: int) -> None:
    """Set where metrics created after this call store their values: in memory, or in files in ``folder``."""
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
