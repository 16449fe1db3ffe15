"""The web page, at the root of the service."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, render_template

from web import __version__
from web.answers import DISCLAIMER
from web.requests import MAX_PIXELS_PER_MM
from web.routes import services

pages = Blueprint("pages", __name__)

_STATIC = Path(__file__).parent / "static"
#: Allows only this service's own files, photos from the browser's memory (blob:) and overlays from the answer (data:).
#: form-action is 'none' because the page's script sends the form; without scripts, a browser would show bare JSON.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
#: body sites that the page offers → their names on the page
_SITES = {
    "head-or-neck": "Head or neck",
    "trunk": "Chest, belly or back",
    "arm": "Arm or hand",
    "leg-or-genital": "Leg, foot or genital area",
}


@pages.get("/")
def front() -> Response:
    """Show the page with the form."""
    own = services()
    settings, manifest = own.settings, own.index_manifest
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
    """The page's JavaScript modules. The page lists them all, so that the browser loads them in parallel."""
    return sorted(path.relative_to(_STATIC).as_posix() for path in _STATIC.rglob("*.js"))
