"""The page for people."""

from __future__ import annotations

from flask import Blueprint, Response, render_template

from web import __version__
from web.index_source import index_manifest
from web.rendering import DISCLAIMER
from web.routes import services

pages = Blueprint("pages", __name__)

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@pages.get("/")
def front() -> Response:
    """What the service is and is not, and a form to try it."""
    settings = services().settings
    manifest = index_manifest(settings)
    page = render_template(
        "index.html",
        version=__version__,
        disclaimer=DISCLAIMER,
        synthetic=manifest is not None and manifest.synthetic,
        mock=settings.use_mock_services,
        cosmetic=settings.cosmetic_mode,
    )
    return Response(page, headers={"Content-Security-Policy": _POLICY})
