"""The page for people."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, render_template

from web import __version__
from web.answers import DISCLAIMER
from web.index_source import index_manifest
from web.requests import MAX_PIXELS_PER_MM
from web.routes import services

pages = Blueprint("pages", __name__)

_STATIC = Path(__file__).parent / "static"
#: Only this service's own files. Photos are shown from the browser's memory (blob:), overlays from the answer (data:).
#: The form is sent by the page's script alone: without it, no form could replace the page by a JSON answer.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
#: what a visitor may say of the part of the body → the words for it
_SITES = {
    "head-or-neck": "Head or neck",
    "trunk": "Chest, belly or back",
    "arm": "Arm or hand",
    "leg-or-genital": "Leg, foot or genital area",
}


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
        largest_mb=settings.max_upload_mb,
        sites=_SITES,
        largest_scale=MAX_PIXELS_PER_MM,
        modules=_modules(),
    )
    return Response(page, headers={"Content-Security-Policy": _POLICY})


def _modules() -> list[str]:
    """The page's modules, for the browser to load at once: found one by one, each level would cost a round trip."""
    return sorted(path.relative_to(_STATIC).as_posix() for path in _STATIC.rglob("*.js"))
