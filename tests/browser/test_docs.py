"""The page for developers: short, usable by everyone, and its form and examples run."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_access import tab_to
from tests.browser.visit import PATIENCE_MS, Visit, photo_file
from tests.docs_page import DocsPage
from tests.e2e.server import Server, skin_photo

Begin = Callable[..., Visit]
Start = Callable[..., Server]
MyPage = Callable[[str], Page]
KEY = "0123456789abcdef"
WIDE = {"viewport": {"width": 1280, "height": 800}}
NARROW = {"viewport": {"width": 360, "height": 640}}
SCREENS = 6


@pytest.fixture
def docs(visit: Begin, canned: Server) -> Callable[..., Visit]:
    """(server, **options of the browser's context) → a visit to the page for developers."""

    def begin(server: Server = canned, **options: object) -> Visit:
        begun = visit(server, **{**WIDE, **options})
        begun.page.goto(f"{server.url}/api/docs")
        return begun

    return begin


def draw_and_send(page: Page) -> None:
    page.get_by_role("button", name="Draw a sample").click()
    expect(page.locator("#try-chosen")).to_contain_text("skin.jpg")
    page.get_by_role("button", name="Send").click()


def test_it_is_at_most_six_screens_tall(docs: Begin, screenshots: Path) -> None:
    page = docs().page
    page.screenshot(path=screenshots / "docs.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollHeight") <= SCREENS * WIDE["viewport"]["height"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_nothing_keeps_developers_out(docs: Begin, size: dict[str, object], scheme: str, screenshots: Path) -> None:
    begun = docs(**size, color_scheme=scheme)
    assert begun.overflow() <= 0
    assert begun.barriers() == []
    draw_and_send(begun.page)
    expect(begun.page.locator("#try-status")).to_contain_text("200 OK")
    begun.open_all()
    assert begun.overflow() <= 0
    assert begun.barriers() == []
    begun.page.locator("#try").screenshot(path=screenshots / f"docs-form-{scheme}-{begun.page.viewport_size}.png")


def test_the_languages_are_chosen_by_keyboard_and_everywhere(docs: Begin) -> None:
    page = docs().page
    python, curl = page.locator("[data-file='quickstart.py']"), page.locator("[data-file='quickstart.sh']")
    tab_to(page, "[role=tab]")
    expect(curl).to_be_visible()
    expect(python).to_be_hidden()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Python", selected=True).first).to_be_focused()
    expect(python).to_be_visible()
    expect(curl).to_be_hidden()
    page.keyboard.press("End")
    expect(page.get_by_role("tabpanel", name="JavaScript").first).to_be_visible()
    page.get_by_text("The service is busy", exact=True).click()
    expect(page.locator("[data-file='overload.mjs']")).to_be_visible()
    expect(page.locator("[data-file='overload.py']")).to_be_hidden()


def test_without_scripts_all_languages_are_shown(docs: Begin) -> None:
    page = docs(java_script_enabled=False).page
    for name in ("quickstart.sh", "quickstart.py", "quickstart.mjs"):
        expect(page.locator(f"[data-file='{name}']")).to_be_visible()
    expect(page.locator("#try-form")).to_be_hidden()
    expect(page.locator("noscript")).to_be_visible()
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)


def test_an_example_is_copied(docs: Begin) -> None:
    begun = docs(permissions=["clipboard-read", "clipboard-write"])
    page = begun.page
    page.locator("figure", has=page.locator("[data-file='quickstart.sh']")).get_by_role("button").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == DocsPage(page.content()).snippets["quickstart.sh"]
    assert copied.startswith(f"curl {begun.url}/api/analyze/skin")


def test_the_form_shows_the_answer_and_a_command_that_sends_the_same(
    docs: Begin, server: Server, tmp_path: Path
) -> None:
    page = docs(server, permissions=["clipboard-read", "clipboard-write"]).page
    page.locator("#try [name=modality]").select_option("close_up")
    page.locator("#try [name=age]").fill("54")
    with page.expect_response(lambda response: response.request.method == "POST") as sent:
        draw_and_send(page)
    answer = sent.value.json()
    assert answer["modality"]["label"] != "not_skin", "the drawing looks like skin"
    expect(page.locator("#try-status")).to_have_text(re.compile(r"^200 OK in \d+ ms, [\d.]+ kB"))
    expect(page.locator("#try-headers")).to_contain_text("X-Request-ID")
    expect(page.locator("#try-answer")).to_contain_text(answer["summary"]["headline"])
    page.locator("#try-answer").get_by_role("button", name="Copy").click()
    expect(page.locator("#try-answer").get_by_role("button", name="Copied")).to_be_visible()
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == answer

    drawn = page.evaluate(
        "document.getElementById('try-photo').files[0].arrayBuffer().then((b) => [...new Uint8Array(b)])"
    )
    (tmp_path / "skin.jpg").write_bytes(bytes(drawn))
    command = page.locator("#try-curl").inner_text()
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    same = json.loads(done.stdout)
    assert same["modality"]["stated"] == "close_up"
    assert same["summary"] == answer["summary"]


def test_the_command_quotes_the_name_of_the_photo(docs: Begin, tmp_path: Path) -> None:
    page = docs().page
    name = """it's; a "photo", $HOME.jpg"""
    (tmp_path / name).write_bytes(skin_photo())
    page.set_input_files("#try-photo", [photo_file(skin_photo(), name)])
    command = page.locator("#try-curl").inner_text()
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["success"] is True


def test_the_form_shows_an_error_as_it_is(docs: Begin) -> None:
    page = docs().page
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#try-status")).to_contain_text("Choose a photo first")
    page.set_input_files("#try-photo", [photo_file(b"these bytes are no image")])
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#try-status")).to_contain_text("415")
    expect(page.locator("#try-answer")).to_contain_text("unsupported_image")


def test_the_form_works_with_a_key_and_forgets_it(docs: Begin, start_mock: Start) -> None:
    begun = docs(start_mock(DERMSERVE_API_KEYS=KEY))
    page = begun.page
    draw_and_send(page)
    expect(page.locator("#try-status")).to_contain_text("401")
    expect(page.locator("#try-headers")).to_contain_text("WWW-Authenticate")
    page.locator("#try-key").fill(KEY)
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#try-status")).to_contain_text("200 OK")
    assert KEY not in page.content()
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    page.reload()
    expect(page.locator("#try-key")).to_have_value("")


def test_a_link_opens_what_it_leads_to(docs: Begin) -> None:
    page = docs().page
    target = page.locator("#AnalysisAnswer")
    expect(target).to_be_hidden()
    page.locator("#analyze_skin a[href='#AnalysisAnswer']").click()
    expect(target).to_be_visible()
    expect(target).to_be_in_viewport()


def test_paper_has_what_is_folded(docs: Begin) -> None:
    page = docs().page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    for name in ("quickstart.sh", "quickstart.py", "overload.mjs", "compare.py"):
        expect(page.locator(f"[data-file='{name}']")).to_be_visible()
    expect(page.locator("#AnalysisAnswer")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator("#AnalysisAnswer")).to_be_hidden()


@pytest.fixture
def allowing(start_mock: Start) -> Server:
    """A service with the setting that the recipe for web pages names."""
    name, _, origins = snippets(start_mock())["cors.sh"].split()[0].partition("=")
    return start_mock(**{name: origins})


@pytest.fixture
def my_page(browser: Browser, tmp_path: Path) -> Iterator[Callable[[str], Page]]:
    """(content) → a page with it, which a developer serves on their own machine."""
    page = browser.new_context().new_page()
    with served(tmp_path) as url:

        def show(content: str) -> Page:
            (tmp_path / "index.html").write_text(f"<!doctype html><title>Mine</title>{content}")
            page.goto(url)
            return page

        yield show
        page.context.close()


def test_the_code_for_web_pages_runs_in_a_page_of_another_origin(allowing: Server, my_page: MyPage) -> None:
    page = my_page("<input type=file>")
    page.set_input_files("input", [photo_file(skin_photo())])
    with page.expect_console_message(lambda message: message.type == "log") as said:
        page.add_script_tag(type="module", content=snippets(allowing)["browser.js"])
    assert said.value.text == headline_of(allowing)


def test_the_element_for_web_pages_runs_in_a_page_of_another_origin(allowing: Server, my_page: MyPage) -> None:
    page = my_page(snippets(allowing)["component.html"])
    page.set_input_files("dermserve-analyzer input[type=file] >> nth=0", [photo_file(skin_photo())])
    page.get_by_role("button", name="Analyse").click()
    expect(page.locator("dermserve-analyzer")).to_contain_text(headline_of(allowing), timeout=PATIENCE_MS)


def headline_of(server: Server) -> str:
    headline: str = server.post(files={"image": skin_photo()}).json()["summary"]["headline"]
    return headline


def snippets(server: Server) -> dict[str, str]:
    return DocsPage(server.get("/api/docs").text).snippets


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a web server of a folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Say nothing."""
