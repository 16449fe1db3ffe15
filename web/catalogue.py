"""What the service says of itself: its models, the conditions that it may name, its measures, label and interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from flask import Blueprint, Response, current_app, jsonify, render_template

from ml.errors import ArtifactError
from ml.imaging.limits import MAX_OTHER_PIXELS
from ml.skin.catalogue import CATALOGUE
from scin.dataset import icd_10_codes
from settings import Settings
from web import __version__
from web.answers import DISCLAIMER, Index, Wire
from web.openapi import document, documented, name_of
from web.requests import MAX_AGE, MAX_IMAGES, MAX_K
from web.routes import json_response, services

if TYPE_CHECKING:
    from ml.models.spec import ModelSpec

catalogue = Blueprint("catalogue", __name__)

#: how long a cache may keep answers that only a restart with other settings changes
_KEEP_S = 300
_PAGE_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

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


class ServedModel(Wire):
    """A model that takes part in answers. ``files`` are the files it was fetched with, and their sha256; ``card`` is
    its model card in Markdown. ``card`` and ``output`` are null where they would name diseases in cosmetic mode."""

    name: str
    version: str
    task: str
    framework: str
    licence: str
    input: str | None
    output: str | None
    source: str | None
    fingerprint: str | None
    files: dict[str, str]
    card: str | None


class ModelsAnswer(Wire):
    """The models that this service is set to use."""

    success: Literal[True] = True
    models: list[ServedModel]


class NamedCondition(Wire):
    """A condition as SCIN's dermatologists name it, and its ICD-10-CM code."""

    name: str
    icd_10: str


class ConditionsAnswer(Wire):
    """The names that an answer may use. There are none in cosmetic mode."""

    success: Literal[True] = True
    vocabulary: str
    cosmetic_mode: bool
    conditions: list[NamedCondition]


class Measure(Wire):
    """A quantity that may be measured on a photo. ``label`` and ``description`` are for people; ``direction`` says what
    a higher value means. ``unit`` is "1" or "index" where there is no dimension, and "share of …" for 0–1.
    ``regions``: "skin" is all skin of the photo or of its face, "zone" a zone of a face. ``scored``: an answer may give
    the percentile of a value among the index's photos. ``clinical``: it describes a lesion, and cosmetic mode leaves it
    out."""

    name: str
    label: str
    unit: str
    direction: str
    description: str
    method: str
    regions: list[str]
    scored: bool
    clinical: bool


class MeasuresAnswer(Wire):
    """Every measure that an answer may hold. In cosmetic mode there are no clinical ones."""

    success: Literal[True] = True
    cosmetic_mode: bool
    measures: list[Measure]


class Limits(Wire):
    """What one request may hold, and how often one client may ask. ``rate_limit`` null: as often as there is room."""

    max_request_bytes: int
    max_pixels: int
    max_pixels_not_jpeg: int
    max_photos: int = MAX_IMAGES
    max_similar_cases: int = MAX_K
    max_age_years: int = MAX_AGE
    max_seconds: float
    rate_limit: str | None
    key_required: bool


class LabelAnswer(Wire):
    """What the service is for, what it is not for, and what it runs with."""

    success: Literal[True] = True
    name: str = "DermServe"
    version: str = __version__
    disclaimer: str = DISCLAIMER
    intended_use: list[str] = INTENDED_USE
    out_of_scope: list[str] = OUT_OF_SCOPE
    known_limits: list[str]
    limits: Limits
    cosmetic_mode: bool
    mock: bool
    index: Index | None
    attribution: dict[str, str]


@catalogue.get("/api/models")
@documented(ModelsAnswer)
def models() -> Response:
    """Models in use: cards, licences, digests of their files."""
    from ml.models.registry import MEDIAPIPE_FACE, find

    settings = services().settings
    specs: list[ModelSpec] = []
    if not settings.use_mock_services:
        specs = [find(settings.encoder, "encoder"), find(settings.classifier, "classifier")]
        specs += [MEDIAPIPE_FACE] if settings.faces else []
    return json_response(ModelsAnswer(models=[_served(spec, settings) for spec in specs]))


@catalogue.get("/api/conditions")
@documented(ConditionsAnswer)
def conditions() -> Response:
    """Conditions that an answer may name, with their ICD-10-CM codes."""
    cosmetic = services().settings.cosmetic_mode
    named = (
        [] if cosmetic else [NamedCondition(name=name, icd_10=code) for name, code in sorted(icd_10_codes().items())]
    )
    return _kept(
        json_response(ConditionsAnswer(vocabulary="SCIN; codes: ICD-10-CM", cosmetic_mode=cosmetic, conditions=named))
    )


@catalogue.get("/api/measures")
@documented(MeasuresAnswer)
def measures() -> Response:
    """What may be measured on a photo: labels, units, and what a higher value means."""
    cosmetic = services().settings.cosmetic_mode
    shown = [Measure.model_validate(one) for one in CATALOGUE.values() if not (cosmetic and one.clinical)]
    return _kept(json_response(MeasuresAnswer(cosmetic_mode=cosmetic, measures=shown)))


@catalogue.get("/api/label")
@documented(LabelAnswer)
def label() -> Response:
    """Intended use, out of scope, version, limits."""
    from ml.models.registry import find

    own = services()
    settings, manifest = own.settings, own.index_manifest
    lesion = None if settings.use_mock_services else find(settings.classifier, "classifier").lesion
    limits = Limits(
        max_request_bytes=settings.max_upload_bytes,
        max_pixels=settings.max_pixels,
        max_pixels_not_jpeg=min(settings.max_pixels, MAX_OTHER_PIXELS),
        max_seconds=settings.deadline_s,
        rate_limit=settings.rate_limit or None,
        key_required=bool(settings.api_keys),
    )
    return json_response(
        LabelAnswer(
            known_limits=[*KNOWN_LIMITS, *([lesion.limits] if lesion else [])],
            limits=limits,
            cosmetic_mode=settings.cosmetic_mode,
            mock=settings.use_mock_services,
            index=Index.model_validate(manifest) if manifest else None,
            attribution=dict(manifest.attribution) if manifest else {},
        )
    )


@catalogue.get("/api/openapi.json")
@documented("application/json", name="openapi")
def openapi() -> Response:
    """This document."""
    return _kept(jsonify(document(current_app)))


@catalogue.get("/api/docs")
@documented("text/html")
def docs() -> Response:
    """This document as a page."""
    page = render_template("docs.html", document=document(current_app), name_of=name_of)
    return _kept(Response(page, headers={"Content-Security-Policy": _PAGE_POLICY}))


def _kept(response: Response) -> Response:
    response.cache_control.public = True
    response.cache_control.max_age = _KEEP_S
    return response


def _served(spec: ModelSpec, settings: Settings) -> ServedModel:
    """``spec`` with the files that were fetched for it."""
    from ml.models.store import ModelStore

    try:
        manifest = ModelStore(settings.models_dir).manifest(spec)
    except ArtifactError:
        manifest = None
    names_diseases = spec.task == "classifier" and settings.cosmetic_mode
    return ServedModel(
        name=spec.name,
        version=spec.version,
        task=spec.task,
        framework=spec.framework,
        licence=spec.licence,
        input=spec.input,
        output=None if names_diseases else spec.output,
        source=spec.source.uri if spec.source else None,  # the user of an opt-in model names its source
        fingerprint=manifest.fingerprint if manifest else None,
        files=dict(manifest.files) if manifest else {},
        card=None if names_diseases else spec.read_card(),
    )
