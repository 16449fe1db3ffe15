"""Analysis → wire. The only place that knows wire names."""

from __future__ import annotations

import base64
import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ml import values
from ml.skin.catalogue import CATALOGUE
from web import __version__, schemas
from web.cosmetic import without_diseases

if TYPE_CHECKING:
    from ml.capability import CapabilityPart

DISCLAIMER = (
    "Research and education software, not a medical device. It makes no diagnosis and gives no all-clear. "
    "Show a skin change that worries you to a doctor."
)
_SYNTHETIC_NOTICE = "The similar cases are generated skin, for demonstration only: no disease is named from them."


def render_analysis(
    analysis: values.Analysis,
    timings_ms: Mapping[str, float],
    *,
    cosmetic: bool,
    mock: bool = False,
    full: bool = False,
) -> schemas.AnalysisAnswer:
    """The answer object. ``cosmetic`` leaves out all that names a disease; ``mock`` marks a canned answer; ``full``
    adds the raw output of the lesion model."""
    if cosmetic:
        analysis = without_diseases(analysis)
    synthetic = analysis.index is not None and analysis.index.synthetic
    return schemas.AnalysisAnswer(
        analysis_id=str(uuid.uuid4()),
        timestamp=datetime.now(UTC).isoformat(timespec="milliseconds"),
        version=__version__,
        mock=mock,
        image=_image(analysis.photos),
        quality=_quality(analysis.quality),
        modality=schemas.Modality(
            label=analysis.modality.label,
            confidence=_finite(analysis.modality.confidence),
            stated=analysis.modality.stated,
        ),
        skin=_skin(analysis.skin),
        conditions=[_condition(condition) for condition in analysis.conditions],
        lesion=None if analysis.lesion is None else _lesion(analysis.lesion, full=full),
        decision=_decision(analysis.decision),
        accuracy=_accuracy(analysis.accuracy),
        accuracy_reason=analysis.accuracy_reason,
        similar_cases=[_similar(case, synthetic) for case in analysis.similar_cases],
        overlays=[_overlay(overlay) for overlay in analysis.overlays],
        attribution=dict(analysis.index.attribution) if analysis.index else {},
        models=[_model(card) for card in analysis.models],
        index=_index(analysis.index),
        notes=[*analysis.notes, *([_SYNTHETIC_NOTICE] if synthetic else [])],
        timings_ms={stage: _rounded(ms) for stage, ms in timings_ms.items()},
        disclaimer=DISCLAIMER,
    )


def render_capability(parts: Iterable[CapabilityPart]) -> schemas.CapabilityAnswer:
    """The self-test's answer."""
    rendered = [
        schemas.CapabilityPart(
            name=part.name,
            ok=part.ok,
            version=part.version,
            model=part.model,
            ms=_rounded(part.ms),
            reason=part.reason,
        )
        for part in parts
    ]
    return schemas.CapabilityAnswer(success=all(part.ok for part in rendered), parts=rendered)


def _image(photos: Sequence[values.Photo]) -> schemas.Image:
    views = [schemas.View(width=photo.width, height=photo.height, format=photo.format) for photo in photos]
    return schemas.Image(**views[0].model_dump(), views=views)


def _quality(quality: values.Quality) -> schemas.Quality:
    problems = [
        schemas.Problem(code=problem.code, message=problem.message, advice=problem.advice)
        for problem in quality.problems
    ]
    return schemas.Quality(usable=quality.usable, score=_finite(quality.score), problems=problems)


def _skin(skin: values.Skin) -> schemas.Skin:
    return schemas.Skin(
        tone=_tone(skin.tone),
        measurements=[_measurement(measurement) for measurement in skin.measurements],
        zones=None if skin.zones is None else [_zone(zone) for zone in skin.zones],
    )


def _tone(tone: values.Tone | None) -> schemas.Tone | None:
    if tone is None:
        return None
    return schemas.Tone(
        ita_deg=_finite(tone.ita_deg),
        ita_corrected_deg=_finite(tone.ita_corrected_deg),
        ita_category=tone.ita_category,
        fitzpatrick_estimate=tone.fitzpatrick_estimate,
        fitzpatrick_range=tone.fitzpatrick_range,
        monk_estimate=tone.monk_estimate,
        monk_range=tone.monk_range,
        caveat=tone.caveat,
    )


def _zone(zone: values.Zone) -> schemas.Zone:
    return schemas.Zone(
        name=zone.name,
        polygon=[(float(x), float(y)) for x, y in zone.polygon],
        measurements=[_measurement(measurement) for measurement in zone.measurements],
    )


def _measurement(measurement: values.Measurement) -> schemas.Measurement:
    return schemas.Measurement(
        name=measurement.name,
        label=CATALOGUE[measurement.name].label,
        value=_finite(measurement.value),
        unit=measurement.unit,
        score=_finite(measurement.score),
        score_uncertainty=_finite(measurement.score_uncertainty),
        method=measurement.method,
        region=measurement.region,
        uncertainty=_finite(measurement.uncertainty),
    )


def _condition(condition: values.Condition) -> schemas.Condition:
    return schemas.Condition(
        name=condition.name,
        icd_10=condition.icd_10,
        probability=_finite(condition.probability),
        band=condition.band,
        evidence=list(condition.evidence),
        calibrated_probability=_finite(condition.calibrated_probability),
        agreement=_finite(condition.agreement),
    )


def _lesion(lesion: values.Lesion, *, full: bool) -> schemas.Lesion:
    return schemas.Lesion(
        model=lesion.model,
        predictions=_predictions(lesion.predictions),
        malignant_probability=_finite(lesion.malignant_probability),
        definition=lesion.definition,
        sensitivity=_finite(lesion.sensitivity),
        caveat=lesion.caveat,
        raw_predictions=_predictions(lesion.raw_predictions) if full else None,
    )


def _predictions(predictions: Iterable[values.Prediction]) -> list[schemas.Prediction]:
    return [
        schemas.Prediction(code=one.code, name=one.name, icd_10=one.icd_10, probability=_finite(one.probability))
        for one in predictions
    ]


def _decision(decision: values.Decision) -> schemas.Decision:
    return schemas.Decision.model_validate(
        {
            "kind": decision.kind,
            "set": list(decision.set),
            "coverage": _finite(decision.coverage),
            "reasons": list(decision.reasons),
            "group": decision.group,
        }
    )


def _accuracy(accuracy: values.Accuracy | None) -> schemas.Accuracy | None:
    if accuracy is None:
        return None
    return schemas.Accuracy(
        group=accuracy.group,
        metric=accuracy.metric,
        value=accuracy.value,
        interval=accuracy.interval,
        n=accuracy.n,
        dataset=accuracy.dataset,
    )


def _overlay(overlay: values.Overlay) -> schemas.Overlay:
    return schemas.Overlay(
        name=overlay.name,
        region=overlay.region,
        media_type=overlay.media_type,
        data_base64=base64.b64encode(overlay.data).decode("ascii"),
        deletion_score=_finite(overlay.deletion_score),
    )


def _similar(case: values.SimilarCase, synthetic: bool) -> schemas.SimilarCase:
    return schemas.SimilarCase(
        case_id=case.case_id,
        similarity=_finite(case.similarity),
        demonstration=synthetic,
        thumbnail=case.thumbnails[0] if case.thumbnails else None,
        thumbnails=list(case.thumbnails),
        differential={name: _finite(weight) for name, weight in case.differential.items()},
        dermatologists=dict(case.dermatologists),
        fitzpatrick=dict(case.fitzpatrick),
        monk=dict(case.monk),
        body_parts=list(case.body_parts),
        age_group=case.age_group,
    )


def _model(card: values.ModelCard) -> schemas.Model:
    return schemas.Model(
        name=card.name, version=card.version, framework=card.framework, engine=card.engine, licence=card.licence
    )


def _index(info: values.IndexInfo | None) -> schemas.Index | None:
    if info is None:
        return None
    return schemas.Index(
        name=info.name,
        dataset=info.dataset,
        synthetic=info.synthetic,
        cases=info.cases,
        images=info.images,
        dimension=info.dimension,
        built_at=info.built_at,
    )


def _finite(number: float | None) -> float | None:
    """A plain number, or null for what is not one: JSON has no NaN."""
    return float(number) if number is not None and math.isfinite(number) else None


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(float(ms), 1)
