"""Routes that describe the service: its models, conditions, measures, intended use and API."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from flask import Blueprint, Response, current_app, jsonify, render_template

from ml.errors import ArtifactError
from ml.imaging.limits import MAX_OTHER_PIXELS
from ml.skin.catalogue import CATALOGUE
from scin.dataset import icd_10_codes
from settings import Settings
from web import __version__
from web.answers import DISCLAIMER, Index, Number, Wire
from web.openapi import document, documented, name_of
from web.requests import MAX_AGE, MAX_IMAGES, MAX_K
from web.routes import json_response, services

if TYPE_CHECKING:
    from ml.models.spec import ModelSpec

catalogue = Blueprint("catalogue", __name__)

#: seconds that a cache may keep answers that change only at a restart
_MAX_AGE_S = 300
_PAGE_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

INTENDED_USE = [
    "Research, education and software development with photos of human skin.",
    "To see labelled cases that resemble a photo, and measurements of the skin in it.",
]
OUT_OF_SCOPE = [
    "A diagnosis, a triage or an all-clear.",
    "A decision on treatment, or on whether to see a doctor.",
    "Photos of people who have not agreed to the analysis.",
    "Photos of anything but human skin.",
]
KNOWN_LIMITS = [
    "With the synthetic sample index, no disease is named, because its cases are generated.",
    "Measurements of colour depend on the light and the camera.",
]


class ServedModel(Wire):
    """A model that the service uses. ``files`` maps each downloaded file to its sha256. ``card`` is the model card in
    Markdown. In cosmetic mode, ``card`` and ``output`` are null if they would name diseases."""

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
    """The models that the service uses."""

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


class Evidence(Wire):
    """How a measure repeats between two real photos of the same skin. ``n``: the number of pairs. ``icc``: the share of
    the variance between photos that belongs to the skin. ``coverage``, 0–1: the share of pairs of other people whose
    difference is within the stated uncertainty. ``icc`` and ``coverage`` have 95% intervals. They are null with too few
    pairs. A length is compared with lengths by drawn outlines instead, and has no ``icc``."""

    n: int
    icc: Number
    icc_interval: tuple[float, float] | None
    coverage: Number
    coverage_interval: tuple[float, float] | None


class Measure(Wire):
    """A quantity that the service may measure on a photo. ``label`` and ``description`` are texts for people.
    ``direction`` says what a higher value means. ``unit`` is "1" or "index" for a value without dimension, and "share
    of …" for a value from 0 to 1. ``regions`` lists where it is measured: "skin" is all skin of a photo without a
    face, "face" the skin of a face, "zone" a zone of a face. ``standard_regions`` lists those in which every answer has
    it, a length only with ``pixels_per_mm``; in the others it needs ``detail=full``. ``evidence`` says for each region
    how well two photos of the same skin agree; null if that is unknown. ``scored`` says whether an answer may give the
    value's percentile among the index's photos. ``clinical`` says whether the measure describes a lesion; cosmetic mode
    omits such measures."""

    name: str
    label: str
    unit: str
    direction: str
    description: str
    method: str
    regions: list[str]
    standard_regions: list[str]
    evidence: dict[str, Evidence | None]
    scored: bool
    clinical: bool


class MeasuresAnswer(Wire):
    """Every measure that an answer may hold. In cosmetic mode there are no clinical ones."""

    success: Literal[True] = True
    cosmetic_mode: bool
    measures: list[Measure]


class Limits(Wire):
    """Limits for one request, and for the requests of one client. ``rate_limit`` is null if there is no limit."""

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
    """The intended use of the service, its limits, and its main settings."""

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
    """List the models in use, with cards, licences and file digests."""
    from ml.models.registry import MEDIAPIPE_FACE, find

    settings = services().settings
    specs: list[ModelSpec] = []
    if not settings.use_mock_services:
        specs = [find(settings.encoder, "encoder"), find(settings.classifier, "classifier")]
        specs += [MEDIAPIPE_FACE] if settings.faces else []
    served = [_served(spec, settings) for spec in specs]
    if not settings.use_mock_services:
        served.append(_served_phone_lesions(settings))
    return json_response(ModelsAnswer(models=served))


@catalogue.get("/api/conditions")
@documented(ConditionsAnswer)
def conditions() -> Response:
    """List the conditions that an answer may name, with ICD-10-CM codes."""
    cosmetic = services().settings.cosmetic_mode
    named = (
        [] if cosmetic else [NamedCondition(name=name, icd_10=code) for name, code in sorted(icd_10_codes().items())]
    )
    return _cacheable(
        json_response(ConditionsAnswer(vocabulary="SCIN; codes: ICD-10-CM", cosmetic_mode=cosmetic, conditions=named))
    )


@catalogue.get("/api/measures")
@documented(MeasuresAnswer)
def measures() -> Response:
    """List the measures, with labels, units and what a higher value means."""
    cosmetic = services().settings.cosmetic_mode
    shown = [Measure.model_validate(one) for one in CATALOGUE.values() if not (cosmetic and one.clinical)]
    return _cacheable(json_response(MeasuresAnswer(cosmetic_mode=cosmetic, measures=shown)))


@catalogue.get("/api/label")
@documented(LabelAnswer)
def label() -> Response:
    """Get the intended use, what is out of scope, the version and the limits."""
    from ml.models.phone_lesions import LIMITS
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
            known_limits=[*KNOWN_LIMITS, *([lesion.limits, LIMITS] if lesion and not settings.cosmetic_mode else [])],
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
    """Get this document."""
    return _cacheable(jsonify(document(current_app)))


@catalogue.get("/api/docs")
@documented("text/html")
def docs() -> Response:
    """Show this document as a page."""
    page = render_template("docs.html", document=document(current_app), name_of=name_of)
    return _cacheable(Response(page, headers={"Content-Security-Policy": _PAGE_POLICY}))


def _cacheable(response: Response) -> Response:
    response.cache_control.public = True
    response.cache_control.max_age = _MAX_AGE_S
    return response


def _served(spec: ModelSpec, settings: Settings) -> ServedModel:
    """``spec`` with its downloaded files."""
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
        source=spec.source.uri if spec.source else None,  # None: the operator gives the source of an opt-in model
        fingerprint=manifest.fingerprint if manifest else None,
        files=dict(manifest.files) if manifest else {},
        card=None if names_diseases else spec.read_card(),
    )


def _served_phone_lesions(settings: Settings) -> ServedModel:
    """The model for phone photos of a lesion, which is a part of the service and not downloaded."""
    from ml.models import phone_lesions as model

    return ServedModel(
        name=model.NAME,
        version=model.VERSION,
        task="classifier",
        framework="numpy",
        licence=model.LICENCE,
        input=model.INPUT,
        output=None if settings.cosmetic_mode else model.OUTPUT,
        source=None,
        fingerprint=None,
        files={model.FILE.name: sha256(model.FILE.read_bytes()).hexdigest()},
        card=None if settings.cosmetic_mode else model.CARD.read_text(encoding="utf-8"),
    )
