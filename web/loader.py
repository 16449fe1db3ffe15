"""From settings to a pipeline that analyses: the heavy part, run in each worker after the fork."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from ml.deadline import Deadline
from ml.values import Analysis, IndexInfo, ModelCard
from settings import Settings
from web.index_source import index_folder
from web.process import Process

if TYPE_CHECKING:
    from ml.analysis.pipeline import CaseRequest
    from ml.models.loading import Models


class Part(Protocol):
    """One part's answer to the capability test. ``ms`` is the time it took, ``reason`` why it is not ok."""

    @property
    def name(self) -> str: ...
    @property
    def ok(self) -> bool: ...
    @property
    def version(self) -> str | None: ...
    @property
    def model(self) -> str | None: ...
    @property
    def ms(self) -> float | None: ...
    @property
    def reason(self) -> str | None: ...


class CaseAnalyzer(Protocol):
    """Analyses one case."""

    def analyze(self, request: CaseRequest, deadline: Deadline) -> Analysis: ...


class ThumbnailSource(Protocol):
    """Small pictures of the index's cases."""

    def thumbnail(self, case_id: str, n: int) -> bytes | None:
        """WebP bytes of photo ``n`` (from 0), or None if there is none."""
        ...


@dataclass(frozen=True)
class Pipeline:
    """Everything that answers requests."""

    analyzer: CaseAnalyzer
    index: ThumbnailSource
    capability: Callable[[Deadline], Sequence[Part]]
    models: tuple[ModelCard, ...]
    index_info: IndexInfo | None


class Loader(Protocol):
    """Makes a pipeline in two steps, so that the index may come later than the models."""

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
        """Raises ArtifactError if a model is missing, altered or does not reproduce its golden output."""
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
        """Raises ArtifactError if the index is missing, altered or made by another encoder."""
        from ml.analysis.pipeline import Analyzer
        from ml.capability import run
        from ml.native_check import NativeCheck
        from scin.index import load_index

        models = self._models
        if models is None:
            raise RuntimeError("load_pipeline before load_models")
        index = load_index(
            index_folder(self._settings),
            encoder_fingerprint=models.encoder.fingerprint,
            dimension=self._settings.faiss_dimension,
            mmap=self._settings.mmap,
        )
        analyzer = Analyzer(
            models,
            index,
            measurements=self._settings.measurements,
            lesions=not self._settings.cosmetic_mode,
            population=index.population,
        )
        native = NativeCheck(self._settings.models_dir)

        def capability(deadline: Deadline) -> Sequence[Part]:
            return run(models, index, partial(native, deadline=deadline))

        return Pipeline(analyzer, index, capability, tuple(models.cards), index.info)
