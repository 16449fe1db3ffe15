"""The API routes. ``analyze_skin`` shows every step of an analysis. Each step may raise an error of web.errors."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext

from flask import Blueprint, Response, current_app, g, request
from pydantic import BaseModel

from ml.analysis.pipeline import CaseRequest
from ml.errors import DeadlineExceededError
from ml.imaging.decode import decode
from ml.values import Analysis, Photo
from web.answers import CapabilityAnswer, render_analysis, render_capability
from web.body import AttendedDeadline, request_body
from web.errors import BusyError, NoSuchThumbnailError
from web.limits import admit_caller
from web.openapi import documented
from web.profiles import ANSWERS, PROFILES
from web.requests import AnalyzeRequest, CapabilityRequest, CaseId, PhotoNumber, parse
from web.services import Pipeline, Services

api = Blueprint("api", __name__)

#: stages whose times add up to the logged inference time
_INFERENCE_STAGES = ("encode", "classify", "faces")
#: time limit: five times what the self-test takes on two cores that two other processes keep busy
_SELF_TEST_S = 110


def services() -> Services:
    """The services of this application."""
    found = current_app.extensions["dermserve"]
    if not isinstance(found, Services):
        raise TypeError("create_app has not run")
    return found


def json_response(answer: BaseModel, status: int = 200) -> Response:
    """``answer`` as JSON. NaN and infinity become null."""
    return Response(answer.model_dump_json(), status, mimetype="application/json")


@api.post("/api/analyze/skin", provide_automatic_options=False)
@documented(
    *ANSWERS,
    CapabilityAnswer,
    requests=(AnalyzeRequest, CapabilityRequest),
    failures=(400, 408, 413, 415, 422, 503, 504),
    also={503: CapabilityAnswer},
)
def analyze_skin() -> Response:
    """Analyse the photos of one case, or run the self-test."""
    own = services()
    # Key and rate
    admit_caller()
    own.refuse_if_unable()
    # Admission, before the body is read
    with own.gate.admit():
        # Request
        limit, uploads = own.settings.max_upload_bytes, own.uploads
        body = request_body(request.environ, limit=limit, deadline=g.deadline, uploads=uploads)
        wanted = parse(body, request.content_type or "", request.args)
        deadline = AttendedDeadline(g.deadline, request.environ.get("gunicorn.socket"))
        pipeline = own.pipeline(deadline)
        if isinstance(wanted, CapabilityRequest):
            return _self_test(own, pipeline, deadline)
        # Wait for a free core
        watch = _Stopwatch()
        explaining = own.explain_slot.enter() if wanted.explain else nullcontext()
        with explaining, own.gate.run(deadline):
            watch.lap("queue")
            # Decoding
            deadline.check("decode")
            photos = tuple(decode(data, max_pixels=own.settings.max_pixels) for data in wanted.images)
            watch.lap("decode")
            # Analysis
            deadline.check("analysis")
            analysis = pipeline.analyzer.analyze(_case(wanted, photos), deadline)
            watch.lap("analysis")
        # Answer
        total = {"total": (g.deadline.seconds - g.deadline.remaining()) * 1e3}
        return _answer(own, wanted, analysis, {**watch.laps_ms, **analysis.timings_ms, **total})


@api.get("/api/cases/<case_id>/<int:number>")
@documented("image/webp", failures=(400, 404, 503, 504))
def thumbnail(case_id: CaseId, number: PhotoNumber) -> Response:
    """Get a thumbnail of a case in the index."""
    own = services()
    own.refuse_if_unable()
    picture = own.pipeline(g.deadline).index.thumbnail(case_id, number)
    if picture is None:
        raise NoSuchThumbnailError(
            "The index has no such case or photo. Use an address from similar_cases in an answer."
        )
    response = Response(picture, mimetype="image/webp")
    response.cache_control.private = True
    response.cache_control.max_age = 3600
    return response


def _self_test(own: Services, pipeline: Pipeline, deadline: AttendedDeadline) -> Response:
    """Run the self-test. Raises BusyError while photos wait, or if the test takes longer than _SELF_TEST_S."""
    if own.gate.waiting:
        raise BusyError("Photos are waiting for analysis. Run the self-test when no photo is waiting.", 30)
    with own.capability_slot.enter():
        try:
            answer = render_capability(pipeline.capability(deadline.at_most(_SELF_TEST_S)))
        except DeadlineExceededError as error:
            if deadline.seconds <= _SELF_TEST_S:
                raise
            message = f"The self-test took longer than {_SELF_TEST_S} s because the instance is busy. Try again later."
            raise BusyError(message, 60) from error
    g.event, g.facts = "capability", {"failed": [part.name for part in answer.parts if not part.ok]}
    return json_response(answer, 200 if answer.success else 503)


def _case(wanted: AnalyzeRequest, photos: tuple[Photo, ...]) -> CaseRequest:
    return CaseRequest(
        photos=photos,
        patient=wanted.patient,
        modality=wanted.modality,
        k=wanted.k,
        pixels_per_mm=wanted.pixels_per_mm,
        reference=wanted.stated_reference,
        explain=wanted.explain,
        full=wanted.full,
        thorough=wanted.thorough,
    )


def _answer(own: Services, wanted: AnalyzeRequest, analysis: Analysis, timings_ms: Mapping[str, float]) -> Response:
    own.metrics.stages(timings_ms)
    g.facts = _facts(analysis, timings_ms)
    answer = render_analysis(
        analysis,
        timings_ms,
        cosmetic=own.settings.cosmetic_mode,
        mock=own.settings.use_mock_services,
        full=wanted.full,
    )
    return json_response(PROFILES[wanted.profile](answer))


def _facts(analysis: Analysis, timings_ms: Mapping[str, float]) -> dict[str, object]:
    """Further fields of an analysis's log line. They say nothing about the photo's content or the person."""
    inference = [timings_ms[stage] for stage in _INFERENCE_STAGES if stage in timings_ms]
    return {
        "photos": len(analysis.photos),
        "inference_ms": round(sum(inference), 1) if inference else None,
        "timings_ms": {stage: round(ms, 1) for stage, ms in timings_ms.items()},
        "index": analysis.index and {"name": analysis.index.name, "built_at": analysis.index.built_at},
        "models": {card.name: card.version for card in analysis.models},
    }


class _Stopwatch:
    """Measures the milliseconds of each stage."""

    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Record the time since the last lap as the time of ``stage``."""
        now = time.perf_counter()
        self.laps_ms[stage] = (now - self._last) * 1e3
        self._last = now
