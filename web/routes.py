"""The API: the way of a request, from the caller's key to the answer. Each step may raise an error of web.errors."""

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
from web.requests import FULL, AnalyzeRequest, CapabilityRequest, CaseId, PhotoNumber, parse
from web.services import Pipeline, Services

api = Blueprint("api", __name__)

#: the stages of an analysis that a model computes
_INFERENCE_STAGES = ("encode", "classify", "faces")
#: five times what the self-test takes while two other processes keep two cores busy
_SELF_TEST_S = 110


def services() -> Services:
    """The services of this application."""
    found = current_app.extensions["dermserve"]
    if not isinstance(found, Services):
        raise TypeError("create_app has not run")
    return found


def json_response(answer: BaseModel, status: int = 200) -> Response:
    """``answer`` as JSON; null for what is not a number."""
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
    """One case in, one analysis out; or the self-test."""
    own = services()
    # Key and rate
    admit_caller()
    own.refuse_if_unable()
    # Gate: a place for the request, before its body is read
    with own.gate.admit():
        # Request: body, photos and fields
        limit, uploads = own.settings.max_upload_bytes, own.uploads
        body = request_body(request.environ, limit=limit, deadline=g.deadline, uploads=uploads)
        wanted = parse(body, request.content_type or "", request.args)
        deadline = AttendedDeadline(g.deadline, request.environ.get("gunicorn.socket"))
        pipeline = own.pipeline(deadline)
        if isinstance(wanted, CapabilityRequest):
            return _self_test(own, pipeline, deadline)
        # Turn: as many compute at once as there are cores for
        watch = _Stopwatch()
        lane = own.explain_lane.enter() if wanted.explain else nullcontext()
        with lane, own.gate.run(deadline):
            watch.lap("queue")
            # Imaging: bytes to upright sRGB pixels
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
    """A small picture of a case in the index."""
    own = services()
    own.refuse_if_unable()
    picture = own.pipeline(g.deadline).index.thumbnail(case_id, number)
    if picture is None:
        raise NoSuchThumbnailError(
            "The index has no such case or photo. Take the address from an answer's similar_cases."
        )
    response = Response(picture, mimetype="image/webp")
    response.cache_control.private = True
    response.cache_control.max_age = 3600
    return response


def _self_test(own: Services, pipeline: Pipeline, deadline: AttendedDeadline) -> Response:
    """A busy instance refuses it: at once while photos wait, otherwise after _SELF_TEST_S."""
    if own.gate.in_line:
        raise BusyError("Photos are waiting for their analysis. Run the self-test when fewer are sent.", 30)
    with own.capability_lane.enter():
        try:
            answer = render_capability(pipeline.capability(deadline.at_most(_SELF_TEST_S)))
        except DeadlineExceededError as error:
            if deadline.seconds <= _SELF_TEST_S:
                raise
            message = f"The self-test did not end within {_SELF_TEST_S} s: this instance is busy. Run it again later."
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
        explain=wanted.explain,
    )


def _answer(own: Services, wanted: AnalyzeRequest, analysis: Analysis, timings_ms: Mapping[str, float]) -> Response:
    own.metrics.stages(timings_ms)
    g.facts = _facts(analysis, timings_ms)
    answer = render_analysis(
        analysis,
        timings_ms,
        cosmetic=own.settings.cosmetic_mode,
        mock=own.settings.use_mock_services,
        full=wanted.detail == FULL,
    )
    return json_response(PROFILES[wanted.profile](answer))


def _facts(analysis: Analysis, timings_ms: Mapping[str, float]) -> dict[str, object]:
    """What the log line of an analysis says beside its status. Nothing of the photo or the person."""
    inference = [timings_ms[stage] for stage in _INFERENCE_STAGES if stage in timings_ms]
    return {
        "photos": len(analysis.photos),
        "inference_ms": round(sum(inference), 1) if inference else None,
        "timings_ms": {stage: round(ms, 1) for stage, ms in timings_ms.items()},
        "index": analysis.index and {"name": analysis.index.name, "built_at": analysis.index.built_at},
        "models": {card.name: card.version for card in analysis.models},
    }


class _Stopwatch:
    """Milliseconds of each stage."""

    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """The time since the last lap belongs to ``stage``."""
        now = time.perf_counter()
        self.laps_ms[stage] = (now - self._last) * 1e3
        self._last = now
