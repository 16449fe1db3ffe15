"""Canned answers for front-end work without models. Each is marked as canned, and none names a real disease."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from PIL import Image

from ml import values
from ml.analysis import comparison
from ml.deadline import Deadline
from ml.skin.catalogue import CATALOGUE
from web.services import Pipeline

if TYPE_CHECKING:
    from ml.analysis.pipeline import CaseRequest
    from ml.selftest import CapabilityPart

_CASE_IDS = ("mock-1", "mock-2", "mock-3")
_THUMBNAIL_SIDE = 160
_SKIN_COLOUR = (214, 170, 142)
_INDEX = values.IndexInfo("mock", "none", False, 3, 3, 512, "2026-01-01T00:00:00+00:00", {})
_MODELS = (values.ModelCard("mock", "0", "none", "none", "none"),)


class MockLoader:
    """Loads nothing. The photos of a request are still decoded and checked."""

    def load_models(self) -> None:
        """Nothing to load."""

    def load_pipeline(self) -> Pipeline:
        return Pipeline(MockAnalyzer(), MockComparer(), MockIndex(), _capability, _MODELS, _INDEX)


class MockAnalyzer:
    """Gives every case the same analysis."""

    def analyze(self, request: CaseRequest, deadline: Deadline) -> values.Analysis:
        """The canned analysis. Only photos, stated modality and the number of similar cases come from the request."""
        return values.Analysis(
            photos=request.photos,
            quality=values.Quality(
                usable=True,
                score=72.0,
                problems=(values.Problem("example", "An example of a problem.", "An example of advice."),),
            ),
            modality=values.Modality(label="close_up", confidence=0.9, stated=request.modality),
            skin=_skin(),
            conditions=_conditions(),
            lesion=_lesion(),
            decision=values.Decision("set", ("Example condition A", "Example condition B"), 0.9),
            similar_cases=tuple(map(_case, _CASE_IDS[: request.k])),
            index=_INDEX,
            models=_MODELS,
            timings_ms={"mock": 0.0},
            notes=("This is a canned answer: nothing in it was measured on the photo.",),
        )


class MockComparer:
    """Gives every two photos the same comparison."""

    def compare(self, request: comparison.PairRequest, deadline: Deadline) -> comparison.Comparison:
        """The canned comparison. Only the photos, stated modality and interval come from the request."""
        quality, modality = values.Quality(True, 72.0), values.Modality("close_up", 0.9, request.modality)
        before, after = (
            comparison.ViewedPhoto(photo, quality, modality, (_evenness("skin"),))
            for photo in (request.before, request.after)
        )
        return comparison.Comparison(
            before=before,
            after=after,
            same_place=comparison.SamePlace("same", 0.95, "registration"),
            measures=(_compared("higher"), _compared("not_comparable")),
            summary=comparison.ChangeSummary("This is an example of a change.", "This is an example of a next step."),
            interval_days=request.interval_days,
            aligned=_aligned(request) if request.explain else None,
            notes=("This is a canned answer: nothing in it was measured on the photos.",),
        )


class MockIndex:
    """Thumbnails of the canned cases: a picture in one colour."""

    def thumbnail(self, case_id: str, n: int) -> bytes | None:
        if case_id not in _CASE_IDS or n != 0:
            return None
        data = io.BytesIO()
        Image.new("RGB", (_THUMBNAIL_SIDE, _THUMBNAIL_SIDE), _SKIN_COLOUR).save(data, "WEBP")
        return data.getvalue()


def _capability(deadline: Deadline) -> Sequence[CapabilityPart]:
    from ml.selftest import CapabilityPart

    reason = "mock services: no part was tried"
    return [CapabilityPart(name="mock", ok=True, version=None, model=None, ms=None, reason=reason)]


def _skin() -> values.Skin:
    corners = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.4), (0.2, 0.4))
    return values.Skin(
        tone=values.Tone("A canned answer.", "light", ("light", "medium")),
        measurements=(_evenness("skin"),),
        zones=(values.Zone("forehead", corners, (_evenness("forehead"),)),),
    )


def _evenness(region: str) -> values.Measurement:
    measured = CATALOGUE["evenness"].measurement(region, 1.5, uncertainty=0.1)
    return replace(measured, method="canned", score=50.0, score_uncertainty=5.0)


def _conditions() -> tuple[values.Condition, ...]:
    return (
        values.Condition("Example condition A", None, 0.6, "high", _CASE_IDS[:2]),
        values.Condition("Example condition B", None, 0.3, "possible", _CASE_IDS[2:]),
    )


def _compared(change: comparison.Change) -> comparison.ComparedMeasure:
    measure, comparable = CATALOGUE["evenness"], change != "not_comparable"
    return comparison.ComparedMeasure(
        code=measure.name,
        label=measure.label,
        unit=measure.unit,
        region="skin",
        direction=measure.direction,
        before=1.5,
        after=2.5,
        difference=1.0 if comparable else None,
        uncertainty=0.4 if comparable else None,
        change=change,
        reason=None if comparable else comparison.Reason("example", "An example of a reason."),
    )


def _aligned(request: comparison.PairRequest) -> comparison.AlignedPhotos:
    """The first photo twice."""
    return comparison.AlignedPhotos(request.before.rgb, request.before.rgb)


def _lesion() -> values.Lesion:
    return values.Lesion(
        model="mock",
        input="phone",
        decision=values.LesionDecision("set", ("a", "b"), 0.9),
        sums=(values.LesionSum("cancer", ("b",), 0.3),),
        predictions=(
            values.Prediction("a", "Example lesion A", None, 0.7),
            values.Prediction("b", "Example lesion B", None, 0.3),
        ),
        malignant_probability=0.3,
        definition="canned",
        caveat="A canned answer.",
        raw_predictions=(
            values.Prediction("a", "Example lesion A", None, 0.9),
            values.Prediction("b", "Example lesion B", None, 0.1),
        ),
    )


def _case(case_id: str) -> values.SimilarCase:
    return values.SimilarCase(
        case_id=case_id,
        similarity=0.8,
        thumbnails=(f"/api/cases/{case_id}/0",),
        differential={"Example condition A": 0.7, "Example condition B": 0.3},
        dermatologists={"count": 2, "agreement": 0.5},
        fitzpatrick={"self_reported": None, "dermatologists": []},
        monk={"india": None, "us": None},
        body_parts=("ARM",),
        age_group=None,
        sex=None,
    )
