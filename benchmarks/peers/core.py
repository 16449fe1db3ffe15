"""The pipeline that every server of the comparison imports unchanged: this project's own, loaded by its own loader.

What is served comes from the environment, as in production (``DERMSERVE_ENGINE``, ``DERMSERVE_VAR``, …), and
``BENCH_KIND`` chooses how much of it: ``search`` (decode, preprocess, encoder, index) or ``analysis`` (all of it).
``python -m benchmarks.peers.core`` serves it with Flask's own server.
"""

from __future__ import annotations

import math
import os
import time
from dataclasses import replace
from enum import StrEnum
from typing import Self

from flask import Flask, Response, request

from ml.analysis.pipeline import CaseRequest
from ml.deadline import Deadline
from ml.imaging.decode import decode
from ml.models.encoder import Encoder
from ml.values import Analysis, Decision, Modality, ModelCard, Quality, Searcher, Skin
from server.instance import settings_of_this_process, this_process
from settings import Settings
from web.answers import render_analysis
from web.app import create_app
from web.boot import served
from web.logs import configure_logging
from web.services import Pipeline, ProductionLoader

KIND = "BENCH_KIND"
_TIMEOUT_S = 300.0


class Kind(StrEnum):
    """How much of the pipeline a request runs."""

    SEARCH = "search"
    ANALYSIS = "analysis"


class SearchAnalyzer:
    """Encoder and index alone. Safe to use from several threads."""

    def __init__(self, encoder: Encoder, index: Searcher, cards: tuple[ModelCard, ...]) -> None:
        self._encoder = encoder
        self._index = index
        self._cards = cards

    def analyze(self, request: CaseRequest, deadline: Deadline) -> Analysis:
        """An analysis that holds the similar cases and nothing else."""
        started = time.perf_counter()
        vectors = self._encoder.embed([photo.rgb for photo in request.photos], deadline)
        encoded = time.perf_counter()
        found = self._index.search(vectors, request.k)
        timings = {"encode": (encoded - started) * 1e3, "search": (time.perf_counter() - encoded) * 1e3}
        return Analysis(
            photos=request.photos,
            quality=Quality(usable=True, score=math.nan),
            modality=Modality(request.modality, None, request.modality),
            skin=Skin(tone=None),
            conditions=(),
            lesion=None,
            decision=Decision(kind="abstain", reasons=("search_only",)),
            similar_cases=found.cases,
            index=self._index.info,
            models=self._cards,
            timings_ms=timings,
        )


class SearchLoader(ProductionLoader):
    """Loads what production loads, and analyses with a SearchAnalyzer."""

    def load_pipeline(self) -> Pipeline:
        from scin.index.search import SearchIndex

        whole = super().load_pipeline()
        models, index = self._models, whole.index
        if models is None or not isinstance(index, SearchIndex):
            raise TypeError("the production loader gave no index that can be searched")
        return replace(whole, analyzer=SearchAnalyzer(models.encoder, index, models.cards))


class Core:
    """Photo in, JSON out. Safe to use from several threads."""

    def __init__(self, pipeline: Pipeline, settings: Settings) -> None:
        self._pipeline = pipeline
        self._settings = settings

    @classmethod
    def load(cls, kind: Kind | None = None) -> Self:
        """Load, warm and check, as a worker of the service does. ``kind``: from the environment if not given."""
        settings = served(Settings.load())
        kind = kind or Kind(os.environ.get(KIND, Kind.ANALYSIS))
        loader = (SearchLoader if kind is Kind.SEARCH else ProductionLoader)(settings, this_process(settings))
        loader.load_models()
        return cls(loader.load_pipeline(), settings)

    def answer(self, photo: bytes) -> bytes:
        """The JSON answer for one encoded photo. Raises ml.errors.MLError for a photo that cannot be used."""
        started = time.perf_counter()
        deadline = Deadline(_TIMEOUT_S)
        decoded = decode(photo, max_pixels=self._settings.max_pixels)
        analysis = self._pipeline.analyzer.analyze(CaseRequest(photos=(decoded,)), deadline)
        timings = {**analysis.timings_ms, "total": (time.perf_counter() - started) * 1e3}
        return render_analysis(analysis, timings, cosmetic=self._settings.cosmetic_mode).model_dump_json().encode()


def create_flask() -> Flask:
    """The core behind plain Flask, as tutorials show it; gunicorn's gthread worker serves the same."""
    core, app = Core.load(), Flask(__name__)

    @app.get("/health")
    def health() -> str:
        return "ok"

    @app.post("/answer")
    def answer() -> Response:
        return Response(core.answer(request.get_data()), mimetype="application/json")

    return app


def create_ours() -> Flask:
    """This service as it stands, gate, deadlines and metrics included, with the core's search as its analysis."""
    settings = served(settings_of_this_process())
    configure_logging(settings.log_level)
    process = this_process(settings)
    return create_app(settings, process, SearchLoader(settings, process))


if __name__ == "__main__":
    create_flask().run(host="127.0.0.1", port=int(os.environ["BENCH_PORT"]))
