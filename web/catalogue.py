"""Routes that describe the service: its models, conditions, measures, intended use and API."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Literal

from flask import Blueprint, Response, current_app, jsonify, request

from ml.errors import ArtifactError
from ml.imaging.limits import MAX_OTHER_PIXELS
from ml.skin.catalogue import CATALOGUE
from settings import Settings
from web import __version__
from web.answers import DISCLAIMER
from web.answers.evidence import Index
from web.answers.words import MeasureName
from web.caching import cacheable
from web.conditions import ConditionsAnswer, named_conditions
from web.docs import docs_page
from web.language import Language, best_language
from web.openapi import document, documented
from web.pages import PAGE_POLICY
from web.requests import MAX_AGE, MAX_IMAGES, MAX_K
from web.routes import in_language, json_response, services
from web.services import Services
from web.wire import Count, MaybeShare, Number, Range, Rounded, Share, Wire

if TYPE_CHECKING:
    from ml.models.spec import ModelSpec

catalogue = Blueprint("catalogue", __name__)

#: seconds that a cache may keep answers that change only at a restart
_MAX_AGE_S = 300

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
    """A model that the service uses. In cosmetic mode, `card` and `output` are null if they would name diseases."""

    name: str
    """The name that answers use."""
    version: str
    """Its version."""
    task: str
    """What it does, such as `encoder` or `classifier`."""
    framework: str
    """The framework that it was trained in."""
    licence: str
    """SPDX identifier."""
    input: str | None
    """What it reads."""
    output: str | None
    """What it says."""
    source: str | None
    """Where its files are from; null if the operator chose that, or if it is part of the service."""
    fingerprint: str | None
    """Digest of all its files; null if they are part of the service."""
    files: dict[str, str]
    """File → sha256."""
    card: str | None
    """The model card, in Markdown."""


class ModelsAnswer(Wire):
    """The models that the service uses."""

    success: Literal[True] = True
    """Always true."""
    models: list[ServedModel]
    """Each model."""


class Evidence(Wire):
    """How a measure repeats between two real photos of the same skin. With too few pairs, the shares are null. A length
    is compared with lengths by drawn outlines instead, and has no `icc`."""

    n: Count
    """Number of pairs of photos."""
    icc: Annotated[Number, Range(highest=1), Rounded(3)]
    """Intraclass correlation: the share of the variance between photos that belongs to the skin, at most 1."""
    icc_interval: Annotated[tuple[float, float] | None, Rounded(3)]
    """95% confidence interval of `icc`."""
    coverage: MaybeShare
    """0–1: the share of pairs of other people whose difference is within the stated uncertainty."""
    coverage_interval: tuple[Share, Share] | None
    """95% confidence interval of `coverage`, 0–1."""


class Measure(Wire):
    """A quantity that the service may measure on a photo."""

    name: MeasureName
    """The name that answers use."""
    label: str
    """The name to show to people."""
    unit: str
    """`1` and `index` have no dimension; a `share` is 0–1."""
    direction: str
    """What a higher value means."""
    description: str
    """For people: what it is."""
    method: str
    """How it is measured."""
    regions: list[str]
    """Where it is measured: `skin` is all skin of a photo without a face, `face` the skin of a face, `zone` a zone of
    a face."""
    standard_regions: list[str]
    """The regions in which every answer has it, a length only with `pixels_per_mm`. In the others it needs
    `detail=full`."""
    evidence: dict[str, Evidence | None]
    """Region → how well two photos of the same skin agree; null if that is unknown."""
    scored: bool
    """Whether an answer may give the value's percentile among the index's photos."""
    clinical: bool
    """Whether it describes a lesion. Cosmetic mode omits such measures."""


class MeasuresAnswer(Wire):
    """Every measure that an answer may hold."""

    success: Literal[True] = True
    """Always true."""
    cosmetic_mode: bool
    """Whether clinical measures are left out."""
    measures: list[Measure]
    """In the order of an answer."""


class Limits(Wire):
    """Limits for one request, and for the requests of one client."""

    max_request_bytes: Count
    """Size of a request."""
    max_pixels: Count
    """Width × height of a JPEG photo."""
    max_pixels_not_jpeg: Count
    """Width × height of any other photo."""
    max_photos: Count = MAX_IMAGES
    """Photos of one case."""
    max_similar_cases: Count = MAX_K
    """The largest `k`."""
    max_age_years: Count = MAX_AGE
    """The largest `age`."""
    max_seconds: Annotated[float, Range(lowest=0)]
    """Duration of an analysis."""
    rate_limit: str | None
    """Such as `10/minute`; null if there is none."""
    key_required: bool
    """Whether requests with photos need a key."""


class LabelAnswer(Wire):
    """The intended use of the service, its limits, and its main settings."""

    success: Literal[True] = True
    """Always true."""
    name: str = "DermServe"
    """The service."""
    version: str = __version__
    """Its version."""
    disclaimer: str = DISCLAIMER
    """Show this to users."""
    intended_use: list[str] = INTENDED_USE
    """What it is for."""
    out_of_scope: list[str] = OUT_OF_SCOPE
    """What it is not for."""
    known_limits: list[str]
    """What it does badly."""
    limits: Limits
    """Limits for requests."""
    cosmetic_mode: bool
    """Whether it names no disease."""
    mock: bool
    """Whether all analyses are canned."""
    index: Index | None
    """The index of labelled cases; null if there is none."""
    attribution: dict[str, str]
    """Whose data the index holds, and under which licence."""


def _models(settings: Settings) -> ModelsAnswer:
    from ml.models.loading import models_in_use
    from ml.models.registry import find

    specs: list[ModelSpec] = []
    if not settings.use_mock_services:
        names = models_in_use(settings.building_encoder, settings.classifier, faces=settings.faces)
        specs = [find(name) for name in names]
    served = [_served(spec, settings) for spec in specs]
    if not settings.use_mock_services:
        served.append(_served_phone_lesions(settings))
    return ModelsAnswer(models=served)


def _conditions(settings: Settings, language: Language) -> ConditionsAnswer:
    cosmetic = settings.cosmetic_mode
    named = [] if cosmetic else named_conditions(language)
    return ConditionsAnswer(language=language.code, cosmetic_mode=cosmetic, conditions=named)


def _measures(settings: Settings) -> MeasuresAnswer:
    cosmetic = settings.cosmetic_mode
    shown = [Measure.model_validate(one) for one in CATALOGUE.values() if not (cosmetic and one.clinical)]
    return MeasuresAnswer(cosmetic_mode=cosmetic, measures=shown)


def _label(own: Services) -> LabelAnswer:
    from ml.models.phone_lesions import LIMITS
    from ml.models.registry import find

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
    return LabelAnswer(
        known_limits=[*KNOWN_LIMITS, *([lesion.limits, LIMITS] if lesion and not settings.cosmetic_mode else [])],
        limits=limits,
        cosmetic_mode=settings.cosmetic_mode,
        mock=settings.use_mock_services,
        index=Index.model_validate(manifest) if manifest else None,
        attribution=dict(manifest.attribution) if manifest else {},
    )


@catalogue.get("/api/models")
@documented(ModelsAnswer, tag="Catalogues", example=lambda own: _models(own.settings), cacheable=True)
def list_models() -> Response:
    """List the models in use, with cards, licences and file digests."""
    return cacheable(json_response(_models(services().settings)))


@catalogue.get("/api/conditions")
@documented(
    ConditionsAnswer,
    tag="Catalogues",
    example=lambda own: _conditions(own.settings, Language()),
    translated=True,
    cacheable=True,
)
def list_conditions() -> Response:
    """List the conditions that an answer may name, with everyday names, explanations and ICD-10-CM codes."""
    language = best_language(request.accept_languages)
    answer = _conditions(services().settings, language)
    return cacheable(in_language(json_response(answer), language), seconds=_MAX_AGE_S)


@catalogue.get("/api/measures")
@documented(MeasuresAnswer, tag="Catalogues", example=lambda own: _measures(own.settings), cacheable=True)
def list_measures() -> Response:
    """List the measures, with labels, units and what a higher value means."""
    return cacheable(json_response(_measures(services().settings)), seconds=_MAX_AGE_S)


@catalogue.get("/api/label")
@documented(LabelAnswer, tag="Catalogues", example=_label, cacheable=True)
def get_label() -> Response:
    """Get the intended use, what is out of scope, the version and the limits."""
    return cacheable(json_response(_label(services())))


@catalogue.get("/api/openapi.json")
@documented(tag="Service", cacheable=True)
def get_openapi() -> Response:
    """Get this document."""
    return cacheable(jsonify(document(current_app)), seconds=_MAX_AGE_S)


@catalogue.get("/api/docs")
@documented(tag="Service", media_type="text/html", cacheable=True)
def get_docs() -> Response:
    """Show this document as a page."""
    page = docs_page(document(current_app), request.host_url.removesuffix("/"))
    return cacheable(Response(page, headers={"Content-Security-Policy": PAGE_POLICY}), seconds=_MAX_AGE_S)


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
