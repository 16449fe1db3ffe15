"""What a worker has loaded, and how far it is."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import cached_property

from ml.deadline import Deadline
from ml.errors import MLError
from scin.index.manifest import Manifest
from settings import Settings
from web.errors import NotReadyError, UnavailableError
from web.gate import Gate, Lane
from web.index_source import index_manifest
from web.loader import Loader, Pipeline
from web.logs import log_event
from web.metrics import Metrics
from web.process import Process, State
from web.uploads import Uploads

_LOG = logging.getLogger("dermserve.services")
_RETRY_WHILE_LOADING_S = 5


class Services:
    """Models, index and gate of one process. Loads in the background, once ``start`` is called after the fork."""

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
        self.capability_lane = Lane("A capability test is already running. Ask again shortly.")
        self.explain_lane = Lane("Another photo is being explained. Send it again shortly, or without explain.")
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
        """What the index was made of, as it was when first asked for: the one that is loaded does not change."""
        return index_manifest(self.settings)

    def start(self, on_instance_ready: Callable[[], None] = lambda: None) -> None:
        """Begin to load; later calls do nothing. ``on_instance_ready`` is called once, by the last worker."""
        with self._start_lock:
            if self._started:
                return
            self._started = True
        self.process.readiness.publish(self.state)
        if self.state is State.STARTING:
            threading.Thread(target=self._load, args=(on_instance_ready,), name="loading", daemon=True).start()

    def stop_delay_s(self) -> int:
        """Seconds to go on accepting after SIGTERM: none on an instance that nobody was ever sent to."""
        return self.settings.stop_delay_s if self.process.readiness.was_ready() else 0

    def refuse_if_unable(self) -> None:
        """Raise UnavailableError if an analysis cannot be answered, now or soon."""
        if self.state is State.DISABLED:
            raise UnavailableError("Analyses are switched off on this service.", state=self.state.value)
        if self.state is State.FAILED:
            raise UnavailableError("The models could not be loaded on this service.", state=self.state.value)
        if self.state is State.STARTING and not self.process.readiness.was_ready():
            raise NotReadyError(
                "The models are being loaded. Send the photo again in a moment.",
                _RETRY_WHILE_LOADING_S,
                state=self.state.value,
            )

    def pipeline(self, deadline: Deadline) -> Pipeline:
        """What analyses, waited for until the deadline while it loads.

        Raises UnavailableError if it cannot be loaded, DeadlineExceededError if it is not loaded in time.
        """
        self._loaded.wait(deadline.remaining())
        deadline.check("loading")
        self.refuse_if_unable()
        if not self._pipeline_lock.acquire(timeout=deadline.remaining()):
            deadline.check("loading")
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
        except Exception as error:  # noqa: BLE001 - whatever it was, the worker must say so instead of waiting for ever
            self._fail(error)
            return
        self.state = State.READY
        is_last = self.process.readiness.publish(self.state)
        self._loaded.set()  # after it was published: whoever was answered here finds the instance ready
        log_event(_LOG, "loaded", seconds=round(time.monotonic() - started, 2))
        if is_last:
            on_instance_ready()

    def _load_pipeline(self) -> Pipeline:
        try:
            self._pipeline = self._loader.load_pipeline()
        except MLError as error:
            raise UnavailableError("The index of labelled cases could not be loaded on this service.") from error
        self.metrics.loaded(self._pipeline.models, self._pipeline.index_info)
        return self._pipeline

    def _fail(self, error: Exception) -> None:
        cause = error.__cause__ if isinstance(error.__cause__, MLError) else error
        self.reason = cause.message if isinstance(cause, MLError) else type(cause).__name__
        self.state = State.FAILED
        log_event(_LOG, "load_failed", level=logging.ERROR, reason=self.reason, exc_info=error)
        self.process.readiness.publish(self.state)
        self._loaded.set()
