"""Debian's Chromium, started for each file, and the real service, once for all tests of this folder."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright
from skimage import data

from tests.browser.visit import PATIENCE_MS, Visit
from tests.e2e.conftest import var_folder  # noqa: F401 - a fixture of this folder too
from tests.e2e.server import Server, running_server

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--host-resolver-rules=MAP page.test 127.0.0.1",  # a name that is not this machine's own: no secure context
)
_MOCK = {"USE_MOCK_SERVICES": "true", "FLASK_ENV": "development", "GUNICORN_WORKERS": "1", "MAX_WORKERS": "1"}
_MISSING = "Chromium is not here, so the page is not tested; install it (Debian: chromium), or name it in CHROMIUM=…"


def _chromium() -> str | None:
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.hookimpl(tryfirst=True)  # before the runner reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests on one worker of the runner: they share a browser and a server."""
    here = Path(__file__).parent
    own = [item for item in items if here in item.path.parents]
    for item in own:
        item.add_marker(pytest.mark.xdist_group("browser"))
        item.add_marker(pytest.mark.browser)
    if own and _chromium() is None and not os.environ.get("CI"):
        own[0].add_marker(pytest.mark.skip(reason=_MISSING))  # one line says it for all
        items[:] = [item for item in items if item not in own[1:]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. Ended with each file: Playwright keeps an event loop running in the thread meanwhile, and what is
    shared by a folder that is no package lives until the runner's end."""
    path = _chromium()
    if path is None:
        pytest.fail(_MISSING, pytrace=False)
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def server(var_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:  # noqa: F811
    """The service with its models and the sample index. Pages of this machine may use it."""
    settings = {"GUNICORN_WORKERS": "1", "MAX_WORKERS": "1", "DERMSERVE_CORS_ORIGINS": "localhost"}
    with running_server(var_folder, tmp_path_factory.mktemp("page"), settings) as running:
        yield running


@pytest.fixture(scope="session")
def start_mock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """(**environment) → a service with canned answers; everything before and after them is the real one's."""
    running = []

    def start(**environment: str) -> Server:
        folder = tmp_path_factory.mktemp("mock")
        manager = running_server(folder, folder, {**_MOCK, **environment})
        running.append(manager)
        return manager.__enter__()

    yield start
    for manager in running:
        manager.__exit__(None, None, None)


@pytest.fixture(scope="session")
def canned(start_mock: Callable[..., Server]) -> Server:
    """The service with canned answers, set as its users set it."""
    return start_mock()


@pytest.fixture(scope="session")
def portrait() -> bytes:
    """A photo of a face, in the public domain."""
    buffer = io.BytesIO()
    Image.fromarray(data.astronaut()).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the page are kept for whoever looks at a run: the folder SCREENSHOTS, or pytest's own."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path_factory.getbasetemp() / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Callable[..., Visit]]:
    """(server, url=…, friends=…, **options of the browser's context) → a visit to the page.

    At the end of each: nothing was asked of anyone but the service, and the browser had nothing to complain of.
    """
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def begin(
        at: Server = server, *, url: str | None = None, friends: tuple[str, ...] = (), **options: object
    ) -> Visit:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})  # type: ignore[arg-type]
        contexts.append(context)
        begun = Visit(context.new_page(), url or at.url, friends)
        visits.append(begun)
        return begun

    yield begin
    for context in contexts:
        context.close()
    for one in visits:
        assert one.strangers == []
        assert one.complaints == []
