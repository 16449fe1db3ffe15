"""The page for people, at the root of the service."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, render_template

from web import __version__
from web.answers import DISCLAIMER
from web.requests import MAX_PIXELS_PER_MM
from web.routes import services

pages = Blueprint("pages", __name__)

_STATIC = Path(__file__).parent / "static"
#: Only this service's own files. Photos are shown from the browser's memory (blob:), overlays from the answer (data:).
#: Only the page's script sends the form, so that a browser without scripts never shows a JSON answer as a page.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
#: the parts of the body to choose from → their names on the page
_SITES = {
    "head-or-neck": "Head or neck",
    "trunk": "Chest, belly or back",
    "arm": "Arm or hand",
    "leg-or-genital": "Leg, foot or genital area",
}


@pages.get("/")
def front() -> Response:
    """What the service is and is not, and a form to try it."""
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
    """The page's modules, so that the browser loads all of them at once instead of level by level."""
    return sorted(path.relative_to(_STATIC).as_posix() for path in _STATIC.rglob("*.js"))
