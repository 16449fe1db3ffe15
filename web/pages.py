"""The web page, at the root of the service."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, render_template

from web import __version__
from web.answers import DISCLAIMER
from web.routes import services

pages = Blueprint("pages", __name__)

_STATIC = Path(__file__).parent / "static"
#: Allows only this service's own files, photos from the browser's memory (blob:) and overlays from the answer (data:).
#: form-action is 'none' because the page's script sends the form; without scripts, a browser would show bare JSON.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


@pages.get("/")
def front() -> Response:
    """Show the page with the form."""
    settings = services().settings
    page = render_template(
        "index.html",
        version=__version__,
        disclaimer=DISCLAIMER,
        mock=settings.use_mock_services,
        cosmetic=settings.cosmetic_mode,
        modules=_modules(),
    )
    return Response(page, headers={"Content-Security-Policy": PAGE_POLICY})


def _modules() -> list[str]:
    """The page's JavaScript modules. The page lists them all, so that the browser loads them in parallel."""
    names = (path.relative_to(_STATIC).as_posix() for path in _STATIC.rglob("*.js"))
    return sorted(name for name in names if not name.startswith("docs/"))
