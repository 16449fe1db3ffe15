"""Thin views: parse → call → render."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field

from flask import Blueprint, Response, current_app, g, request
from pydantic import BaseModel

from ml.analysis.pipeline import CaseRequest
from ml.deadline import Deadline
from ml.errors import DeadlineExceededError
from ml.imaging.decode import decode
from ml.values import Analysis, Photo
from web.answers import CapabilityAnswer, render_analysis, render_capability
from web.body import RequestBody
from web.callers import admit_caller
from web.client import AttendedDeadline, Client
from web.errors import BusyError, NoSuchThumbnailError
from web.loader import Pipeline
from web.openapi import documented
from web.profiles import ANSWERS, PROFILES
from web.requests import FULL, AnalyzeRequest, CapabilityRequest, CaseId, PhotoNumber, parse
from web.services import Services

api = Blueprint("api", __name__)

#: the parts of an analysis that a model computes
_INFERENCE_STAGES = ("encode", "classify", "faces")
#: five times what the self-test takes beside two processes that keep both of two cores busy
_SELF_TEST_S = 110


def services() -> Services:
    """The services of this application."""
    found = current_app.extensions["dermserve"]
    if not isinstance(found, Services):
        raise TypeError("create_app has not run")
    return found


@api.post("/api/analyze/skin", provide_automatic_options=False)
@documented(
    *ANSWERS,
    CapabilityAnswer,
    requests=(AnalyzeRequest, CapabilityRequest),
    failures=(400, 408, 413, 415, 422, 503, 504),
    also={503: CapabilityAnswer},
)
def analyze_skin() -> Response:
    """One case in, one analysis out; or the self-test."""
    own = services()
    deadline: Deadline = g.deadline
    admit_caller(own.settings)
    own.refuse_if_unable()
    with own.gate.admit():
        limit = own.settings.max_upload_bytes
        body = RequestBody(request.environ, limit=limit, deadline=deadline, uploads=own.uploads)
        wanted = parse(body, request.content_type or "", request.args)
        attended = AttendedDeadline(deadline, Client.of(request.environ))
        pipeline = own.pipeline(attended)
        if isinstance(wanted, CapabilityRequest):
            return _capability(own, pipeline, attended)
        return _analysis(own, pipeline, wanted, attended)


@api.get("/api/cases/<case_id>/<int:number>")
@documented("image/webp", failures=(400, 404, 503, 504))
def thumbnail(case_id: CaseId, number: PhotoNumber) -> Response:
    """A small picture of a case in the index."""
    own = services()
    own.refuse_if_unable()
    picture = own.pipeline(g.deadline).index.thumbnail(case_id, number)
    if picture is None:
        raise NoSuchThumbnailError("The index has no such case or photo.")
    response = Response(picture, mimetype="image/webp")
    response.cache_control.private = True
    response.cache_control.max_age = 3600
    return response


def json_response(answer: BaseModel, status: int = 200) -> Response:
    """``answer`` as JSON; null for what is not a number."""
    return Response(answer.model_dump_json(), status, mimetype="application/json")


def _capability(own: Services, pipeline: Pipeline, deadline: AttendedDeadline) -> Response:
    """The self-test. A busy instance says so: at once where photos wait, otherwise after _SELF_TEST_S."""
    if own.gate.in_line:
        raise BusyError("Photos wait to be analysed. Run the self-test when fewer are sent.", retry_after_s=30)
    with own.capability_lane.enter():
        try:
            answer = render_capability(pipeline.capability(deadline.at_most(_SELF_TEST_S)))
        except DeadlineExceededError as error:
            if deadline.seconds <= _SELF_TEST_S:
                raise
            raise BusyError(
                f"The self-test did not end within {_SELF_TEST_S} s: this instance is busy. Run it again later.",
                retry_after_s=60,
            ) from error
    g.event, g.facts = "capability", {"failed": [part.name for part in answer.parts if not part.ok]}
    return json_response(answer, 200 if answer.success else 503)


def _analysis(own: Services, pipeline: Pipeline, wanted: AnalyzeRequest, deadline: Deadline) -> Response:
    watch = _Stopwatch(deadline)
    lane = own.explain_lane.enter() if wanted.explain else nullcontext()
    with lane, own.gate.run(deadline):
        watch.lap("queue")
        deadline.check("decode")
        photos = _decode(wanted, own.settings.max_pixels)
        watch.lap("decode")
        deadline.check("analysis")
        case = CaseRequest(
            photos=photos,
            patient=wanted.patient,
            modality=wanted.modality,
            k=wanted.k,
            pixels_per_mm=wanted.pixels_per_mm,
            explain=wanted.explain,
        )
        analysis = pipeline.analyzer.analyze(case, deadline)
        watch.lap("analysis")
    timings = {**watch.laps_ms, **analysis.timings_ms, "total": watch.total_ms()}
    own.metrics.stages(timings)
    g.facts = _facts(analysis, timings)
    settings = own.settings
    answer = render_analysis(
        analysis,
        timings,
        cosmetic=settings.cosmetic_mode,
        mock=settings.use_mock_services,
        full=wanted.detail == FULL,
    )
    return json_response(PROFILES[wanted.profile](answer))


def _decode(wanted: AnalyzeRequest, max_pixels: int) -> tuple[Photo, ...]:
    return tuple(decode(data, max_pixels=max_pixels) for data in wanted.images)


def _facts(analysis: Analysis, timings: Mapping[str, float]) -> dict[str, object]:
    """What the log line of an answered analysis says beside its status. Nothing of the photo or the person."""
    inference = [timings[stage] for stage in _INFERENCE_STAGES if stage in timings]
    return {
        "photos": len(analysis.photos),
        "inference_ms": round(sum(inference), 1) if inference else None,
        "timings_ms": {stage: round(ms, 1) for stage, ms in timings.items()},
        "index": analysis.index and {"name": analysis.index.name, "built_at": analysis.index.built_at},
        "models": {card.name: card.version for card in analysis.models},
    }


@dataclass
class _Stopwatch:
    """Milliseconds of each stage, and since the request's arrival."""

    deadline: Deadline
    laps_ms: dict[str, float] = field(default_factory=dict)
    _last: float = field(default_factory=time.perf_counter)

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps_ms[stage] = (now - self._last) * 1e3
        self._last = now

    def total_ms(self) -> float:
        return (self.deadline.seconds - self.deadline.remaining()) * 1e3
