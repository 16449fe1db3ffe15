"""The page for people."""

from __future__ import annotations

from flask import Blueprint, Response, render_template

from ml.errors import ArtifactError
from scin.manifest import read_manifest
from settings import Settings
from web import __version__
from web.index_source import index_folder
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
    page = render_template(
        "index.html",
        version=__version__,
        disclaimer=DISCLAIMER,
        synthetic=_is_synthetic(settings),
        mock=settings.use_mock_services,
        cosmetic=settings.cosmetic_mode,
    )
    return Response(page, headers={"Content-Security-Policy": _POLICY})


def _is_synthetic(settings: Settings) -> bool:
    try:
        return not settings.use_mock_services and read_manifest(index_folder(settings)).synthetic
    except ArtifactError:  # there is no index yet: nothing to be said about it
        return False
