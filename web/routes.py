"""The API routes. ``_analyze`` shows every step of an analysis. Each step may raise an error of web.errors."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TypeVar

from flask import Blueprint, Response, current_app, g, request
from pydantic import BaseModel
from pydantic_core import to_json

from ml.analysis.comparison import PairRequest
from ml.analysis.pipeline import CaseRequest
from ml.errors import DeadlineExceededError, ImageError
from ml.imaging.decode import decode
from ml.values import Analysis, Photo
from web.answers import AnalysisAnswer, render_analysis
from web.answers.service import CapabilityAnswer, render_capability
from web.body import AttendedDeadline, Readable, request_body
from web.caching import cacheable
from web.comparisons import ComparisonAnswer, render_comparison
from web.errors import BusyError, NoSuchThumbnailError
from web.language import Language, best_language
from web.limits import admit_caller
from web.openapi import documented, examples
from web.profiles import PROFILES, Profile
from web.requests import (
    AnalyzeRequest,
    CapabilityRequest,
    CaseId,
    CompareRequest,
    PhotoNumber,
    parse,
    parse_comparison,
)
from web.services import Pipeline, Services
from web.wire import STANDARD, Detail, payload

api = Blueprint("api", __name__)

_Noted = TypeVar("_Noted", AnalysisAnswer, ComparisonAnswer)
ANALYSIS = "/api/analyze/skin"
#: statuses of the errors of an analysis and of a comparison
_REFUSALS = (400, 408, 413, 415, 422, 503, 504)

#: stages whose times add up to the logged inference time
_INFERENCE_STAGES = ("encode", "classify", "faces")
#: seconds that a browser may keep a thumbnail
_THUMBNAIL_AGE_S = 3600
#: time limit: five times what the self-test takes on two cores that two other processes keep busy
_SELF_TEST_S = 110


def services() -> Services:
    """The services of this application."""
    found = current_app.extensions["dermserve"]
    if not isinstance(found, Services):
        raise TypeError("create_app has not run")
    return found


def json_response(
    answer: BaseModel, status: int = 200, *, detail: Detail = STANDARD, media_type: str = "application/json"
) -> Response:
    """``answer`` as JSON in this ``detail``."""
    return Response(to_json(payload(answer, detail)), status, mimetype=media_type)


def in_language(response: Response, language: Language) -> Response:
    """``response``, whose texts for people are in the ``language`` that suits the request best."""
    response.content_language.add(language.code)
    response.vary.add("Accept-Language")
    return response


@api.post(ANALYSIS)
@documented(
    AnalysisAnswer,
    tag="Analysis",
    request=AnalyzeRequest,
    failures=_REFUSALS,
    example=examples.analysis,
    translated=True,
)
def analyze_skin() -> Response:
    """Analyse the photos of one case.

    Two older forms still work: with the field `profile`, such as `profile=autoderm`, the answer is that of the
    operation for this profile, and the JSON body `{"test": "ml_capability"}` runs the self-test.
    """
    return _analyze()


def _add_profile(name: str, profile: Profile) -> None:
    """Add the operation that answers in the format of ``profile``."""

    def view() -> Response:
        return _analyze(name)

    view.__doc__ = f"Analyse the photos of one case, and answer in the format of {profile.title}."
    declared = documented(
        profile.answer,
        tag="Analysis",
        media_type=profile.media_type,
        name=f"analyze_skin_{name}",
        request=AnalyzeRequest,
        failures=_REFUSALS,
        example=lambda own: profile.render(examples.analysis(own)),
        translated=True,
    )
    api.add_url_rule(f"{ANALYSIS}/{name}", f"analyze_skin_{name}", declared(view), methods=["POST"])


for _name, _profile in PROFILES.items():
    _add_profile(_name, _profile)


def _analyze(profile: str | None = None) -> Response:
    """Answer the current request in the format of ``profile``; None: in the one that the request asks for."""
    own = services()
    # Key and rate
    admit_caller()
    own.refuse_if_unable()
    # Admission, before the body is read
    with own.gate.admit():
        # Request
        wanted = parse(_body(own), request.content_type or "", request.args)
        deadline = _deadline()
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
        timings_ms = {**watch.laps_ms, **analysis.timings_ms, **_total_ms()}
        return _answer(own, wanted, profile or wanted.profile, analysis, timings_ms)


@api.post("/api/compare/skin")
@documented(ComparisonAnswer, tag="Analysis", request=CompareRequest, failures=_REFUSALS, example=examples.comparison)
def compare_skin() -> Response:
    """Compare two photos of the same skin."""
    own = services()
    admit_caller()
    own.refuse_if_unable()
    with own.gate.admit():
        wanted = parse_comparison(_body(own), request.content_type or "", request.args)
        deadline = _deadline()
        pipeline = own.pipeline(deadline)
        watch = _Stopwatch()
        with own.gate.run(deadline):
            watch.lap("queue")
            pair = _pair(wanted, own.settings.max_pixels, deadline)
            watch.lap("decode")
            compared = pipeline.comparer.compare(pair, deadline)
            watch.lap("comparison")
        timings_ms = {**watch.laps_ms, **compared.timings_ms, **_total_ms()}
        g.facts = {"photos": 2, "timings_ms": _logged(timings_ms)}
        dates = wanted.before_date, wanted.after_date
        answer = render_comparison(compared, timings_ms, dates, mock=own.settings.use_mock_services)
        return json_response(_with_notes(answer, wanted.notes))


@api.post("/api/selftest")
@documented(
    CapabilityAnswer,
    tag="Service",
    failures=(400, 503, 504),
    also={503: CapabilityAnswer},
    example=examples.self_test,
)
def run_selftest() -> Response:
    """Run a real photo through each part of the service, and report which parts work.

    The request needs no body. A part that fails makes the status 503. With compiled models, the first self-test of a
    worker takes about 15 s. One self-test runs at a time, and only while no photo waits.
    """
    own = services()
    admit_caller()
    own.refuse_if_unable()
    with own.gate.admit():
        deadline = _deadline()
        return _self_test(own, own.pipeline(deadline), deadline)


@api.get("/api/cases/<case_id>/<int:number>")
@documented(tag="Catalogues", media_type="image/webp", failures=(400, 404, 503, 504), cacheable=True)
def get_thumbnail(case_id: CaseId, number: PhotoNumber) -> Response:
    """Get a thumbnail of a case in the index."""
    own = services()
    own.refuse_if_unable()
    picture = own.pipeline(g.deadline).index.thumbnail(case_id, number)
    if picture is None:
        raise NoSuchThumbnailError(
            "The index has no such case or photo. Use an address from similar_cases in an answer."
        )
    # Generated clients know the second type, but not that of pictures.
    wanted = request.accept_mimetypes.best_match(["image/webp", "application/octet-stream"], "image/webp")
    response = Response(picture, mimetype=wanted)
    response.vary.add("Accept")
    return cacheable(response, seconds=_THUMBNAIL_AGE_S, private=True)


def _body(own: Services) -> Readable:
    """The body of the current request, which is read within its limits."""
    limit = own.settings.max_upload_bytes
    return request_body(request.environ, limit=limit, deadline=g.deadline, uploads=own.uploads)


def _deadline() -> AttendedDeadline:
    """The deadline of the current request, which ends too when its client is gone."""
    return AttendedDeadline(g.deadline, request.environ.get("gunicorn.socket"))


def _total_ms() -> dict[str, float]:
    """The time since the current request began, as the stage ``total``."""
    return {"total": (g.deadline.seconds - g.deadline.remaining()) * 1e3}


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


def _pair(wanted: CompareRequest, max_pixels: int, deadline: AttendedDeadline) -> PairRequest:
    """The decoded photos of a comparison. An error about a photo says in ``details.photo`` which one it is."""

    def decoded(name: str, data: bytes) -> Photo:
        deadline.check("decode")
        try:
            return decode(data, max_pixels=max_pixels)
        except ImageError as error:
            error.message = f"The photo '{name}' cannot be used. {error.message}"
            error.details["photo"] = name
            raise

    before, after = decoded("before", wanted.before), decoded("after", wanted.after)
    stated = before.modality if before.modality == after.modality else None
    modality = wanted.modality or stated
    return PairRequest(before, after, modality, wanted.interval_days, wanted.explain, wanted.confirmed)


def _case(wanted: AnalyzeRequest, photos: tuple[Photo, ...]) -> CaseRequest:
    """The case. What the request states has priority over what the file of the first photo states."""
    first = photos[0]
    return CaseRequest(
        photos=photos,
        patient=wanted.patient,
        modality=wanted.modality or first.modality,
        k=wanted.k,
        pixels_per_mm=wanted.pixels_per_mm or first.pixels_per_mm,
        reference=wanted.stated_reference,
        outline=wanted.outline,
        explain=wanted.explain,
        full=wanted.full,
        thorough=wanted.thorough,
    )


def _answer(
    own: Services, wanted: AnalyzeRequest, profile_name: str, analysis: Analysis, timings_ms: Mapping[str, float]
) -> Response:
    language = best_language(request.accept_languages)
    own.metrics.stages(timings_ms)
    g.facts = _facts(analysis, timings_ms)
    answer = render_analysis(
        analysis,
        timings_ms,
        cosmetic=own.settings.cosmetic_mode,
        mock=own.settings.use_mock_services,
        outlines=wanted.outline or wanted.explain or wanted.full,
        language=language,
    )
    answer = _with_notes(answer, wanted.notes)
    if profile := PROFILES.get(profile_name):
        response = json_response(profile.render(answer), media_type=profile.media_type)
    else:
        response = json_response(answer, detail=wanted.answer_detail)
    return in_language(response, language)


def _with_notes(answer: _Noted, notes: Sequence[str]) -> _Noted:
    """``answer`` with further ``notes``. Cosmetic mode keeps them: they hold names of the request's fields."""
    return answer.model_copy(update={"notes": [*answer.notes, *notes]})


def _facts(analysis: Analysis, timings_ms: Mapping[str, float]) -> dict[str, object]:
    """Further fields of an analysis's log line. They say nothing about the photo's content or the person."""
    inference = [timings_ms[stage] for stage in _INFERENCE_STAGES if stage in timings_ms]
    return {
        "photos": len(analysis.photos),
        "inference_ms": round(sum(inference), 1) if inference else None,
        "timings_ms": _logged(timings_ms),
        "index": analysis.index and {"name": analysis.index.name, "built_at": analysis.index.built_at},
        "models": {card.name: card.version for card in analysis.models},
    }


def _logged(timings_ms: Mapping[str, float]) -> dict[str, float]:
    """``timings_ms`` with one decimal, for a log line."""
    return {stage: round(ms, 1) for stage, ms in timings_ms.items()}


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
