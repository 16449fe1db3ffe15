"""The models, the index and the gate of one worker, and its state. They are loaded in the background after the fork."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Protocol

from ml.deadline import Deadline
from ml.errors import ArtifactError, MLError
from ml.values import Analysis, IndexInfo, ModelCard
from scin.index.manifest import Manifest, read_manifest
from settings import AUTO, Settings
from web.errors import NotReadyError, UnavailableError
from web.gate import Gate, Slot
from web.logs import log_event
from web.metrics import Metrics
from web.process import Process, State
from web.uploads import Uploads

if TYPE_CHECKING:
    from ml.analysis.comparison import Comparison, PairRequest
    from ml.analysis.pipeline import CaseRequest
    from ml.models.loading import Models
    from ml.selftest import CapabilityPart

_LOG = logging.getLogger("dermserve.services")
_RETRY_WHILE_LOADING_S = 5


class CaseAnalyzer(Protocol):
    """Analyses one case."""

    def analyze(self, request: CaseRequest, deadline: Deadline) -> Analysis: ...


class PairComparer(Protocol):
    """Compares two photos of the same skin."""

    def compare(self, request: PairRequest, deadline: Deadline) -> Comparison: ...


class ThumbnailSource(Protocol):
    """Thumbnails of the index's cases."""

    def thumbnail(self, case_id: str, n: int) -> bytes | None:
        """WebP bytes of photo ``n`` (from 0), or None if there is none."""
        ...


@dataclass(frozen=True)
class Pipeline:
    """The loaded objects that answer requests. ``capability`` runs the self-test."""

    analyzer: CaseAnalyzer
    comparer: PairComparer
    index: ThumbnailSource
    capability: Callable[[Deadline], Sequence[CapabilityPart]]
    models: tuple[ModelCard, ...]
    index_info: IndexInfo | None


class Loader(Protocol):
    """Loads a pipeline in two steps, so that the index can be loaded later than the models."""

    def load_models(self) -> None: ...

    def load_pipeline(self) -> Pipeline:
        """Called after ``load_models``."""
        ...


class ProductionLoader:
    """The real models and the real index."""

    def __init__(self, settings: Settings, process: Process) -> None:
        self._settings = settings
        self._process = process
        self._models: Models | None = None

    def load_models(self) -> None:
        """Raises ArtifactError if a model is missing, changed or does not reproduce its golden output."""
        from ml.models.loading import load_models

        settings = self._settings
        self._models = load_models(
            settings.models_dir,
            encoder=settings.encoder,
            classifier=settings.classifier,
            faces=settings.faces,
            threads=self._process.intra_op_threads,
            callers=settings.running_per_worker,
            gpu=settings.enable_gpu,
            engine=settings.engine,
            mmap=settings.mmap,
        )

    def load_pipeline(self) -> Pipeline:
        """Raises ArtifactError if the index is missing, changed or made with another encoder."""
        from ml.analysis.compare import Comparer
        from ml.analysis.pipeline import Analyzer
        from ml.selftest import NativeCheck, run
        from scin.index.search import load_index

        settings, models = self._settings, self._models
        if models is None:
            raise RuntimeError("load_pipeline before load_models")
        index = load_index(
            settings.index_folder,
            encoder_fingerprint=models.encoder.fingerprint,
            dimension=settings.faiss_dimension,
            mmap=settings.mmap,
        )
        analyzer = Analyzer(
            models,
            index,
            measurements=settings.measurements,
            lesions=not settings.cosmetic_mode,
            population=index.population,
        )
        native = NativeCheck(settings.models_dir)

        def capability(deadline: Deadline) -> Sequence[CapabilityPart]:
            return run(models, index, partial(native, deadline=deadline))

        comparer = Comparer(analyzer, clinical=not settings.cosmetic_mode)
        return Pipeline(analyzer, comparer, index, capability, tuple(models.cards), index.info)


class Services:
    """The pipeline, gate and metrics of one process. ``start``, called after the fork, loads in the background."""

    def __init__(self, settings: Settings, loader: Loader, process: Process) -> None:
        self.settings = settings
        self.process = process
        self.metrics = Metrics(process.folder, process.number)
        self.uploads = Uploads()
        self.gate = Gate(
            admitted=settings.admitted_per_worker,
            running=settings.running_per_worker,
            longest_wait_s=settings.longest_wait_s,
            on_change=self.metrics.load,
            on_full=self.uploads.make_way,
        )
        self.capability_slot = Slot("A self-test is already running. Try again in a few seconds.")
        self.explain_slot = Slot(
            "Another photo is being explained. Try again in a few seconds, or send the photo without 'explain'."
        )
        self.state = State.STARTING if settings.ml_available else State.DISABLED
        self.reason: str | None = None if settings.ml_available else "ML_AVAILABLE is false"
        self._loader = loader
        self._pipeline: Pipeline | None = None
        self._loaded = threading.Event()
        self._start_lock = threading.Lock()
        self._pipeline_lock = threading.Lock()
        self._started = False

    @cached_property
    def index_manifest(self) -> Manifest | None:
        """The index's manifest, read once. None if there is no index."""
        if self.settings.use_mock_services or self.settings.index == AUTO:
            return None
        try:
            return read_manifest(self.settings.index_folder)
        except ArtifactError:
            return None

    def start(self, on_instance_ready: Callable[[], None] = lambda: None) -> None:
        """Start loading, once. The worker that is ready last calls ``on_instance_ready``."""
        with self._start_lock:
            if self._started:
                return
            self._started = True
        self.process.readiness.publish(self.state)
        if self.state is State.STARTING:
            threading.Thread(target=self._load, args=(on_instance_ready,), name="loading", daemon=True).start()

    def refuse_if_unable(self) -> None:
        """Raise UnavailableError, or its subclass NotReadyError, if this process cannot answer an analysis now or
        within a short wait."""
        if self.state is State.DISABLED:
            raise UnavailableError(
                "Analyses are switched off on this service. Ask its operator to set ML_AVAILABLE=true.",
                state=self.state.value,
            )
        if self.state is State.FAILED:
            raise UnavailableError(
                "The service could not load its models. Tell its operator. The log has the reason.",
                state=self.state.value,
            )
        if self.state is State.STARTING and not self.process.readiness.was_ready():
            raise NotReadyError(
                "The service is loading its models. Send the photo again in a few seconds.",
                _RETRY_WHILE_LOADING_S,
                state=self.state.value,
            )

    def pipeline(self, deadline: Deadline) -> Pipeline:
        """The loaded pipeline. Waits while it is loading, at most until the deadline.

        Raises UnavailableError if loading failed, and DeadlineExceededError if it took too long.
        """
        self._loaded.wait(deadline.remaining())
        deadline.check("loading")
        self.refuse_if_unable()
        if not self._pipeline_lock.acquire(timeout=deadline.remaining()):
            raise deadline.exceeded("loading")
        try:
            return self._pipeline or self._load_pipeline()
        finally:
            self._pipeline_lock.release()

    def _load(self, on_instance_ready: Callable[[], None]) -> None:
        started = time.monotonic()
        try:
            self._loader.load_models()
            if self.settings.preload_faiss:
                with self._pipeline_lock:
                    self._load_pipeline()
        except Exception as error:  # noqa: BLE001 - any failure must be reported; requests would wait for ever
            self._fail(error)
            return
        self.state = State.READY
        is_last = self.process.readiness.publish(self.state)
        self._loaded.set()  # after publishing, so that a client that gets an answer also finds the instance ready
        log_event(_LOG, "loaded", seconds=round(time.monotonic() - started, 2))
        if is_last:
            on_instance_ready()

    def _load_pipeline(self) -> Pipeline:
        try:
            self._pipeline = self._loader.load_pipeline()
        except MLError as error:
            raise UnavailableError(
                "The service could not load its index of labelled cases. Tell its operator. The log has the reason."
            ) from error
        self.metrics.loaded(self._pipeline.models, self._pipeline.index_info)
        return self._pipeline

    def _fail(self, error: Exception) -> None:
        cause = error.__cause__ if isinstance(error.__cause__, MLError) else error
        self.reason = cause.message if isinstance(cause, MLError) else type(cause).__name__
        self.state = State.FAILED
        log_event(_LOG, "load_failed", level=logging.ERROR, reason=self.reason, exc_info=error)
        self.process.readiness.publish(self.state)
        self._loaded.set()
