"""The elements on a page of somebody else, from another origin and under a strict policy."""

from __future__ import annotations

import re
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from playwright.sync_api import Request, Route, expect

from tests.browser.host import hosted
from tests.browser.visit import FOCUSED, Visit, held_upload, photo_file, tab_to
from tests.e2e.server import ANALYZE, REPOSITORY, Server, skin_photo
from tests.tools import free_port, tool_or_skip

Begin = Callable[..., Visit]
Host = Callable[..., Visit]
ANALYZER = '<dermserve-analyzer endpoint="{endpoint}"></dermserve-analyzer>'
REPORT = '<dermserve-report endpoint="{endpoint}"></dermserve-report>'
#: what docs/web-component.md asks a page to allow, and the page's own style sheet
POLICY = (
    "default-src 'none'; script-src {module}; connect-src {module} {endpoint}; img-src blob: data: {endpoint}; "
    "style-src 'self'; require-trusted-types-for 'script'"
)
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A clinic</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<link rel="stylesheet" href="/host.css">
<script type="module" src="{module}/assets/component.js"></script></head>
<body><main><h1>A clinic</h1>{body}</main></body></html>"""
_STYLES = """
body { margin: 0; font-family: serif; }
.themed { --dermserve-accent: rgb(120, 20, 90); --dermserve-accent-text: rgb(255, 250, 240); }
.themed::part(button) { border-radius: 0; }
.themed::part(headline) { font-style: italic; }
.dark { color-scheme: dark; background: #000; }
"""
_LISTEN = """
    window.violations = [];
    window.told = [];
    addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
        violations.push(`${violatedDirective} ${blockedURI}`));
    for (const name of ["answer", "error", "progress", "view"])
        document.addEventListener(`dermserve-${name}`, ({ type, detail }) => told.push([type, detail]));
"""


@pytest.fixture(scope="module")
def open_canned(start_mock: Callable[..., Server]) -> Server:
    """The service with canned answers, which pages of this machine may use."""
    return start_mock(DERMSERVE_CORS_ORIGINS="localhost")


@pytest.fixture
def host(visit: Begin) -> Iterator[Host]:
    """(server, body, **options) → a visit to a page that loads the elements from the server.

    Options: another ``endpoint`` for the elements; ``module``, where they come from instead ("": the page's own origin,
    from ``files``); a ``script`` that runs before those of the page; and those of ``visit``.

    At the end of each, the page's policy has refused nothing.
    """
    visits: list[Visit] = []
    with ExitStack() as stack:

        def begin(
            service: Server,
            body: str = ANALYZER,
            *,
            endpoint: str | None = None,
            module: str | None = None,
            files: Mapping[str, bytes] = MappingProxyType({}),
            script: str = "",
            **options: Any,
        ) -> Visit:
            places = {"endpoint": endpoint or service.url, "module": service.url if module is None else module}
            page = _PAGE.replace("{body}", body)
            for name, place in places.items():
                page = page.replace(f"{{{name}}}", place)
            made = {"/": page.encode(), "/host.css": _STYLES.encode(), **files}
            policy = POLICY.format(**{name: place or "'self'" for name, place in places.items()})
            url = stack.enter_context(hosted(made, policy))
            begun = visit(url=url, friends=tuple(filter(None, places.values())), **options)
            begun.page.add_init_script(_LISTEN + script)
            begun.page.goto(url)
            visits.append(begun)
            return begun

        yield begin
        for one in visits:
            assert one.page.evaluate("window.violations") == []


def told(begun: Visit, name: str) -> list[Any]:
    """The details of the events of that name that reached the document."""
    return [detail for kind, detail in begun.page.evaluate("window.told") if kind == f"dermserve-{name}"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_photo_is_analysed_on_a_page_of_somebody_else(
    host: Host, server: Server, portrait: bytes, scheme: str, screenshots: Path
) -> None:
    detail = "full" if scheme == "dark" else "standard"  # with nulls, or without
    body = f'<div class="{scheme}">{ANALYZER.replace(">", f" detail={detail}>", 1)}{REPORT}</div>'
    begun = host(server, body)
    page = begun.page
    expect(page.locator("#notice")).to_contain_text("not a medical device")
    expect(page.locator("#photo-hint")).to_contain_text("MB")
    assert begun.barriers() == []
    begun.choose(portrait if scheme == "light" else skin_photo())
    expect(page.locator("#check")).to_be_visible()
    assert begun.barriers() == []
    answer = begun.analyse()
    begun.open_all().load_pictures()
    assert all(page.locator(".case img").evaluate_all("(images) => images.map((image) => image.naturalWidth > 0)"))
    measured = next(one for one in answer["skin"]["measurements"] if one.get("value") is not None)
    method = measured.get("method") or begun.listed("measures", server.url)[measured["name"]]["method"]
    expect(page.locator("dermserve-analyzer .technical")).to_contain_text(method)
    assert begun.barriers() == []
    page.evaluate("(answer) => { document.querySelector('dermserve-report').answer = answer; }", answer)
    expect(page.locator("main > div > dermserve-report").locator("#headline")).to_have_text(
        answer["summary"]["headline"]
    )
    assert begun.barriers() == []
    page.screenshot(path=screenshots / f"component-{scheme}.png", full_page=True)


def test_the_page_hears_of_progress_and_answer(host: Host, open_canned: Server) -> None:
    begun = host(open_canned).choose(skin_photo())
    answer = begun.analyse()
    stages = [detail["stage"] for detail in told(begun, "progress")]
    assert [stage for number, stage in enumerate(stages) if stage not in stages[:number]] == ["sending", "analysing"]
    (given,) = told(begun, "answer")
    assert given["analysis_id"] == answer["analysis_id"]
    element = "document.querySelector('dermserve-analyzer')"
    assert begun.page.evaluate(f"[{element}.answer.analysis_id, {element}.photos.length]") == [given["analysis_id"], 1]
    assert told(begun, "view") == ["photo", "answer"]


def test_the_page_sets_colours_and_shapes(host: Host, open_canned: Server) -> None:
    themed = ANALYZER.replace("<dermserve-analyzer", '<dermserve-analyzer class="themed"')
    begun = host(open_canned, themed).choose(skin_photo())
    button = begun.page.locator("#analyse")
    style = "(element, name) => getComputedStyle(element)[name]"
    assert button.evaluate(style, "backgroundColor") == "rgb(120, 20, 90)"
    assert button.evaluate(style, "color") == "rgb(255, 250, 240)"
    assert button.evaluate(style, "borderRadius") == "0px"
    assert "serif" in button.evaluate(style, "fontFamily")
    begun.analyse()
    assert begun.page.locator("#headline").evaluate(style, "fontStyle") == "italic"
    assert begun.barriers() == []


def test_the_keyboard_alone_is_enough(host: Host, open_canned: Server) -> None:
    page = host(open_canned).page
    expect(page.locator("#controls")).to_be_enabled()
    with page.expect_file_chooser() as chooser:
        tab_to(page, "#file")
        page.keyboard.press("Space")
    chooser.value.set_files([photo_file(skin_photo())])
    expect(page.locator("#progress + #status[role=status]")).to_have_text("1 photo chosen.")
    tab_to(page, "#analyse")
    page.keyboard.press("Enter")
    expect(page.locator("#headline")).to_be_focused()
    expect(page.locator("#progress + #status")).to_have_text("The answer is ready.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # new analysis
    assert page.evaluate(FOCUSED, "#file")


def test_320_pixels_need_no_sideways_scrolling(host: Host, open_canned: Server, screenshots: Path) -> None:
    begun = host(open_canned, viewport={"width": 320, "height": 640}, is_mobile=True, has_touch=True)
    expect(begun.page.locator("#controls")).to_be_enabled()
    assert begun.open_all().overflow() <= 0
    begun.choose(skin_photo(), skin_photo(), skin_photo())
    assert begun.overflow() <= 0
    begun.analyse()
    assert begun.open_all().overflow() <= 0
    begun.page.screenshot(path=screenshots / "component-narrow.png")


def test_a_file_that_is_no_photo_is_told_to_visitor_and_page(host: Host, open_canned: Server) -> None:
    begun = host(open_canned).choose(b"these bytes are no image")
    failure = begun.fail()
    expect(failure.get_by_role("heading")).to_have_text("This kind of file cannot be read")
    expect(failure).to_be_focused()
    assert begun.barriers() == []
    (error,) = told(begun, "error")
    assert (error["status"], error["code"]) == (415, "unsupported_image")
    assert error["requestId"] in failure.inner_text()


def test_a_busy_service_is_asked_again(host: Host, start_mock: Callable[..., Server]) -> None:
    narrow = start_mock(GUNICORN_THREADS="3", DERMSERVE_CORS_ORIGINS="localhost")  # one place
    begun = host(narrow).choose(skin_photo())
    with held_upload(narrow):
        failure = begun.fail()
        expect(failure.locator(".countdown")).to_contain_text(re.compile(r"Trying again in \d+ s"))
    expect(begun.page.locator("#headline")).to_be_visible()  # by itself
    error = told(begun, "error")[0]
    assert (error["status"], error["code"]) == (503, "busy")
    assert error["retryAfter"] >= 1


def test_a_page_that_is_not_allowed_names_the_setting(host: Host, canned: Server) -> None:
    begun = host(canned).choose(skin_photo())
    begun.page.click("#analyse")
    failure = begun.page.locator("#failure")
    expect(failure).to_contain_text("This page may not use the service")
    expect(failure).to_contain_text(f"add {begun.url} to the setting DERMSERVE_CORS_ORIGINS")
    assert begun.barriers() == []
    assert told(begun, "error")[0]["status"] == 0
    assert [text for text in begun.complaints if "blocked by CORS policy" not in text] == []
    begun.complaints.clear()  # the browser's own words about it


def test_an_endpoint_without_a_service(host: Host, open_canned: Server) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    begun = host(open_canned, endpoint=endpoint)
    failure = begun.choose(skin_photo()).fail()
    expect(failure).to_contain_text("The service could not be reached")
    expect(failure).to_contain_text(endpoint)


def test_an_element_that_leaves_the_page_ends_its_request(host: Host, open_canned: Server) -> None:
    begun = host(open_canned).choose(skin_photo())
    page = begun.page
    held: list[Route] = []
    page.route(f"**{ANALYZE}", lambda route: held.append(route))  # noqa: PLW0108 - not a builtin
    with page.expect_request(_is_analysis):
        page.click("#analyse")
    with page.expect_event("requestfailed", _is_analysis):
        page.evaluate("document.querySelector('dermserve-analyzer').remove()")
    assert told(begun, "error") == []
    page.evaluate("document.querySelector('main').append(document.createElement('dermserve-analyzer'))")
    expect(page.locator("#controls")).to_be_enabled()


def _is_analysis(request: Request) -> bool:
    return ANALYZE in request.url and request.method == "POST"


def test_an_element_that_is_moved_keeps_its_photo(host: Host, open_canned: Server) -> None:
    begun = host(open_canned).choose(skin_photo())
    begun.page.evaluate("document.querySelector('main').prepend(document.querySelector('dermserve-analyzer'))")
    expect(begun.page.locator("#previews img")).to_have_count(1)
    begun.analyse()
    begun.page.evaluate("document.querySelector('main').append(document.querySelector('dermserve-analyzer'))")
    expect(begun.page.locator("#headline")).to_be_visible()
    assert begun.page.locator(".photo .base").evaluate("(image) => image.naturalWidth") > 0


def test_several_elements_on_one_page_are_independent(host: Host, open_canned: Server) -> None:
    two = f'<div id="one">{ANALYZER}</div><div id="two">{ANALYZER.replace(">", " modality=face>", 1)}</div>'
    begun = host(open_canned, two)
    one, other = begun.page.locator("#one"), begun.page.locator("#two")
    one.locator("#file").set_input_files([photo_file(skin_photo())])
    expect(one.locator("#previews li")).to_have_count(1)
    expect(other.locator("#previews li")).to_have_count(0)
    expect(one.locator("[name=modality]")).to_have_value("")
    expect(other.locator("[name=modality]")).to_have_value("face")
    other.locator("#drop").dispatch_event("drop", {"dataTransfer": begun.transfer(skin_photo())})
    expect(other.locator("#previews li")).to_have_count(1)
    other.locator("#analyse").click()
    expect(other.locator("#headline")).to_be_visible()
    expect(one.locator("#headline")).to_have_count(0)
    expect(one.locator("#previews li")).to_have_count(1)
    assert begun.barriers() == []


def test_what_is_set_before_the_elements_are_known_is_used_and_a_key_is_in_no_attribute(
    host: Host, start_mock: Callable[..., Server]
) -> None:
    key = "a-key-of-a-test-that-is-long"
    server = start_mock(DERMSERVE_API_KEYS=key, DERMSERVE_CORS_ORIGINS="localhost")
    early = f"""document.addEventListener("readystatechange", () => {{
        const analyzer = document.querySelector("dermserve-analyzer");
        if (!analyzer.matches(":not(:defined)")) return;
        Object.assign(analyzer, {{ key: "{key}", language: "es", detail: "summary" }});
    }});"""
    begun = host(server, script=early).choose(skin_photo())
    page = begun.page
    answer = begun.analyse()
    assert answer["language"] == "es"
    assert "skin" not in answer
    assert key not in page.content()
    assert key not in page.locator(".visit").evaluate("(visit) => visit.outerHTML")


def test_the_npm_package_holds_all_that_the_elements_need(host: Host, open_canned: Server, tmp_path: Path) -> None:
    npm = tool_or_skip("npm", must="pack the npm package", skipped="the npm package is not tested")
    command = [npm, "pack", "--silent", "--pack-destination", str(tmp_path)]
    subprocess.run(command, cwd=REPOSITORY / "web" / "static", check=True, capture_output=True)
    with tarfile.open(next(tmp_path.glob("*.tgz"))) as packed:
        files = {
            f"/assets/{name.removeprefix('package/')}": packed.extractfile(name).read()  # type: ignore[union-attr]
            for name in packed.getnames()
        }
    begun = host(open_canned, module="", files=files)
    begun.choose(skin_photo())
    begun.analyse()
    begun.open_all()
    assert not {path for path in files if path.endswith(("page.js", "diary.js", "sheet.js"))}


def test_the_example_works(visit: Begin, open_canned: Server, screenshots: Path) -> None:
    folder = REPOSITORY / "examples" / "web-component"
    files = {
        f"/{path.name}": path.read_text().replace("http://127.0.0.1:8000", open_canned.url).encode()
        for path in folder.iterdir()
    }
    with hosted({**files, "/": files["/index.html"]}) as url:
        begun = visit(url=url, friends=(open_canned.url,))
        page = begun.page
        page.goto(url)
        begun.choose(skin_photo())
        answer = begun.analyse()
        expect(page.locator("#state")).to_contain_text(answer["summary"]["headline"])
        page.get_by_role("button", name="Send to the clinic").click()
        expect(page.locator("#state")).to_contain_text(answer["analysis_id"])
        expect(page.locator("main > dermserve-report .photo .base")).to_be_visible()
        assert begun.barriers() == []
        page.screenshot(path=screenshots / "component-example.png", full_page=True)
