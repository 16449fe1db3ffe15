"""The service's label: what it is for and what it runs with, from the settings and what lies on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml.errors import ArtifactError
from ml.imaging.limits import MAX_OTHER_PIXELS
from ml.skin.catalogue import CATALOGUE
from scin.icd10 import table
from scin.manifest import Manifest
from settings import Settings
from web import __version__, schemas
from web.catalogue_schemas import (
    ConditionsAnswer,
    LabelAnswer,
    Limits,
    Measure,
    MeasuresAnswer,
    ModelsAnswer,
    NamedCondition,
    ServedModel,
)
from web.fields import MAX_AGE, MAX_K
from web.parsing import MAX_IMAGES
from web.rendering import DISCLAIMER

if TYPE_CHECKING:
    from ml.models.spec import ModelSpec

INTENDED_USE = [
    "Research, education and software development with photos of human skin.",
    "Looking at labelled cases that resemble a photo, and at measurements of the skin in it.",
]
OUT_OF_SCOPE = [
    "A diagnosis, a triage or an all-clear for any person.",
    "A decision on treatment, or on whether to see a doctor.",
    "Photos of persons who have not agreed to it.",
    "Photos of anything but human skin.",
]
KNOWN_LIMITS = [
    "From the synthetic sample index no disease is named: its cases are generated.",
    "Measures of colour depend on light and camera.",
]


def label_answer(settings: Settings, manifest: Manifest | None) -> LabelAnswer:
    """``manifest`` is the index's, None where there is none."""
    from ml.models.registry import find

    lesion = None if settings.use_mock_services else find(settings.classifier, "classifier").lesion
    return LabelAnswer(
        name="DermServe",
        version=__version__,
        disclaimer=DISCLAIMER,
        intended_use=INTENDED_USE,
        out_of_scope=OUT_OF_SCOPE,
        known_limits=[*KNOWN_LIMITS, *([lesion.limits] if lesion else [])],
        limits=Limits(
            max_request_bytes=settings.max_upload_bytes,
            max_pixels=settings.max_pixels,
            max_pixels_not_jpeg=min(settings.max_pixels, MAX_OTHER_PIXELS),
            max_photos=MAX_IMAGES,
            max_similar_cases=MAX_K,
            max_age_years=MAX_AGE,
            max_seconds=settings.deadline_s,
            rate_limit=settings.rate_limit or None,
            key_required=bool(settings.api_keys),
        ),
        cosmetic_mode=settings.cosmetic_mode,
        mock=settings.use_mock_services,
        index=_index(manifest) if manifest else None,
        attribution=dict(manifest.attribution) if manifest else {},
    )


def conditions_answer(settings: Settings) -> ConditionsAnswer:
    """No name at all in cosmetic mode."""
    named = {} if settings.cosmetic_mode else table()
    return ConditionsAnswer(
        vocabulary="SCIN; codes: ICD-10-CM",
        cosmetic_mode=settings.cosmetic_mode,
        conditions=[NamedCondition(name=name, icd_10=code) for name, code in sorted(named.items())],
    )


def measures_answer(settings: Settings) -> MeasuresAnswer:
    """The catalogue; in cosmetic mode without what is clinical."""
    shown = [measure for measure in CATALOGUE.values() if not (settings.cosmetic_mode and measure.clinical)]
    return MeasuresAnswer(
        cosmetic_mode=settings.cosmetic_mode,
        measures=[
            Measure(
                name=one.name,
                label=one.label,
                unit=one.unit,
                direction=one.direction,
                description=one.description,
                method=one.method,
                regions=list(one.regions),
                scored=one.scored,
                clinical=one.clinical,
            )
            for one in shown
        ],
    )


def models_answer(settings: Settings) -> ModelsAnswer:
    """What the settings choose; files and digests of those that have been fetched."""
    from ml.models.registry import MEDIAPIPE_FACE, find

    if settings.use_mock_services:
        return ModelsAnswer(models=[])
    specs = [find(settings.encoder, "encoder"), find(settings.classifier, "classifier")]
    return ModelsAnswer(
        models=[_model(spec, settings) for spec in (*specs, *((MEDIAPIPE_FACE,) if settings.faces else ()))]
    )


def _model(spec: ModelSpec, settings: Settings) -> ServedModel:
    from ml.models.store import ModelStore

    names_diseases = spec.task == "classifier" and settings.cosmetic_mode
    try:
        manifest = ModelStore(settings.models_dir).manifest(spec)
    except ArtifactError:
        manifest = None
    return ServedModel(
        name=spec.name,
        version=spec.version,
        task=spec.task,
        framework=spec.framework,
        licence=spec.licence,
        input=spec.input,
        output=None if names_diseases else spec.output,
        source=spec.source.uri if spec.source else None,  # of an opt-in model it is its user's own affair
        fingerprint=manifest.fingerprint if manifest else None,
        files=dict(manifest.files) if manifest else {},
        card=None if names_diseases else spec.read_card(),
    )


def _index(manifest: Manifest) -> schemas.Index:
    return schemas.Index(
        name=manifest.name,
        dataset=manifest.dataset,
        synthetic=manifest.synthetic,
        cases=manifest.cases,
        images=manifest.images,
        dimension=manifest.dimension,
        built_at=manifest.built_at,
    )
