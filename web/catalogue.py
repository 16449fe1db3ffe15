"""What the service says of itself: models, conditions that it may name, measures, label, and its own description."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, render_template

from web import openapi
from web.label import conditions_answer, label_answer, measures_answer, models_answer
from web.routes import json_response, services

catalogue = Blueprint("catalogue", __name__)

#: settings decide these answers, and a restart changes them: they may be kept for a little while
_KEEP_S = 300
_PAGE_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@catalogue.get("/api/models")
def models() -> Response:
    """Cards, licences and digests of the models."""
    return json_response(models_answer(services().settings))


@catalogue.get("/api/conditions")
def conditions() -> Response:
    """The names that SCIN's dermatologists use, with their ICD-10-CM codes."""
    return _kept(json_response(conditions_answer(services().settings)))


@catalogue.get("/api/measures")
def measures() -> Response:
    """What may be measured on a photo: names for people, units, and what a higher value means."""
    return _kept(json_response(measures_answer(services().settings)))


@catalogue.get("/api/label")
def label() -> Response:
    """Intended use, out of scope, version, limits."""
    own = services()
    return json_response(label_answer(own.settings, own.index_manifest))


@catalogue.get("/api/openapi.json")
def document() -> Response:
    """This interface, as an OpenAPI 3.1 document."""
    return _kept(jsonify(openapi.document(services().settings)))


@catalogue.get("/api/docs")
def docs() -> Response:
    """The same document as a page."""
    page = render_template("docs.html", document=openapi.document(services().settings), name_of=openapi.name_of)
    return _kept(Response(page, headers={"Content-Security-Policy": _PAGE_POLICY}))


def _kept(response: Response) -> Response:
    response.cache_control.public = True
    response.cache_control.max_age = _KEEP_S
    return response
