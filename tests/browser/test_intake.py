"""The ways in which a photo comes onto the page, what is said of it before it is sent, and where a case ends."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance, ImageFilter
from playwright.sync_api import Page, Route, expect

from tests.browser.visit import Visit, photo_file
from tests.e2e.server import ANALYZE, Server, skin_photo

Begin = Callable[..., Visit]
FIRST, SECOND = (skin_photo(320, 240, seed) for seed in range(2))
ROUTE = f"**{ANALYZE}"


def choose(begun: Visit, photo: bytes) -> None:
    begun.choose(photo)


def drop(begun: Visit, photo: bytes) -> None:
    begun.page.dispatch_event("body", "drop", {"dataTransfer": begun.transfer(photo)})


def paste(begun: Visit, photo: bytes) -> None:
    begun.page.evaluate(
        "(clipboardData) => document.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }))",
        begun.transfer(photo),
    )


def take(begun: Visit, _: bytes) -> None:
    begun.page.get_by_role("button", name="Photo").click()
    begun.page.click("#camera")
    expect(begun.page.locator("#shoot")).to_be_enabled()
    begun.page.click("#shoot")
    expect(begun.page.locator("#viewfinder")).to_be_hidden()


def hold(page: Page) -> list[Route]:
    """Requests are kept waiting; those that came are in the list."""
    held: list[Route] = []
    page.route(ROUTE, lambda route: held.append(route))  # noqa: PLW0108 - not a builtin
    return held


def jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


#: what makes a photo worse → words of the page's own check, and the service's code for the same problem
SPOILED: dict[str, tuple[Callable[[Image.Image], Image.Image], str, str]] = {
    "blurred": (lambda photo: photo.filter(ImageFilter.GaussianBlur(8)), "blurred", "too_blurry"),
    "dark": (lambda photo: ImageEnhance.Brightness(photo).enhance(0.1), "dark", "too_dark"),
    "bright": (lambda photo: ImageEnhance.Brightness(photo).enhance(6), "too bright", "too_bright"),
    "small": (lambda photo: photo.resize((128, 128)), "small", "low_resolution"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_photo_is_checked_before_it_is_sent_as_the_service_would(visit: Begin, portrait: bytes, how: str) -> None:
    spoil, words, code = SPOILED[how]
    begun = visit().open().choose(jpeg(spoil(Image.open(io.BytesIO(portrait)))))
    expect(begun.page.locator("#check")).to_contain_text(words)
    assert code in {problem["code"] for problem in begun.analyse()["quality"]["problems"]}


def test_a_good_photo_gets_no_advice(visit: Begin, canned: Server, portrait: bytes, screenshots: Path) -> None:
    begun = visit(canned, viewport={"width": 360, "height": 780}).open()
    begun.page.screenshot(path=screenshots / "start.png")
    begun.choose(portrait)
    expect(begun.page.locator("#check")).to_have_text("Sharp enough and well lit.")
    expect(begun.page.locator("#analyse")).to_be_in_viewport(ratio=1)
    begun.page.screenshot(path=screenshots / "chosen.png")


@pytest.mark.parametrize("way", [choose, drop, paste, take])
def test_a_new_photo_after_an_answer_is_a_new_case(
    visit: Begin, canned: Server, way: Callable[[Visit, bytes], None]
) -> None:
    begun = visit(canned).open().choose(FIRST, SECOND)
    begun.analyse()
    way(begun, SECOND)
    expect(begun.page.locator("#previews li")).to_have_count(1)
    expect(begun.page.locator("#answer-screen")).to_be_hidden()
    assert len(begun.analyse()["image"]["views"]) == 1


def test_views_of_the_same_spot_are_added_on_purpose(visit: Begin, canned: Server) -> None:
    begun = visit(canned).open()
    another = begun.page.locator("#another-view")
    expect(another).to_be_hidden()
    begun.choose(FIRST)
    begun.choose(FIRST)  # in place of the first
    expect(begun.page.locator("#previews li")).to_have_count(1)
    begun.choose(FIRST, SECOND, SECOND)
    expect(another).to_be_hidden()  # there is no room for more
    begun.page.get_by_role("button", name="Remove photo 2").click()
    expect(begun.page.locator("#previews li")).to_have_count(2)
    assert len(begun.analyse()["image"]["views"]) == 2
    expect(begun.page.locator(".other-views img")).to_have_count(1)
    begun.page.get_by_role("button", name="Add a view").click()
    expect(begun.page.locator("#another")).to_be_focused()
    expect(begun.page.locator("#previews li")).to_have_count(2)


def test_what_is_no_picture_is_not_taken_and_ends_no_case(visit: Begin, canned: Server) -> None:
    begun = visit(canned).open().choose(FIRST)
    begun.analyse()
    begun.page.dispatch_event("body", "drop", {"dataTransfer": begun.transfer(b"words", "notes.txt", "text/plain")})
    expect(begun.page.locator("#failure")).to_contain_text("not a picture")
    expect(begun.page.locator("#headline")).to_be_visible()


def test_back_and_forward_go_between_the_photo_and_its_answer(visit: Begin, canned: Server) -> None:
    begun = visit(canned).open().choose(FIRST)
    begun.analyse()
    begun.page.go_back()
    expect(begun.page.locator("#analyse")).to_be_visible()
    begun.page.go_forward()
    expect(begun.page.locator("#headline")).to_be_visible()
    begun.page.reload()
    expect(begun.page.locator("#title")).to_be_visible()  # the answer is gone, and no empty screen is shown


def test_a_new_analysis_forgets_all_but_the_key(visit: Begin, start_mock: Callable[..., Server]) -> None:
    key = "a-key-of-a-test-that-is-long"
    begun = visit(start_mock(DERMSERVE_API_KEYS=key)).open().choose(FIRST).open_all()
    begun.fail()
    page = begun.page
    page.fill("#key", key)
    page.fill("[name=age]", "54")
    page.select_option("[name=body_site]", "arm")
    begun.analyse()
    page.get_by_role("button", name="New analysis").press("Enter")
    expect(page.locator("#answer-screen")).to_be_hidden()
    expect(page.locator("#previews li")).to_have_count(0)
    expect(page.locator("#file")).to_be_focused()
    expect(page.locator("[name=age]")).to_have_value("")
    expect(page.locator("[name=body_site]")).to_have_value("")
    expect(page.locator("#key")).to_have_value(key)
    begun.choose(SECOND)
    assert begun.analyse()["success"] is True


@pytest.mark.parametrize("way", [drop, paste])
def test_a_running_analysis_is_not_disturbed(visit: Begin, canned: Server, way: Callable[[Visit, bytes], None]) -> None:
    begun = visit(canned).open().choose(FIRST)
    held = hold(begun.page)
    with begun.page.expect_request(ROUTE):
        begun.page.click("#analyse")
    way(begun, SECOND)
    expect(begun.page.locator("#failure")).to_contain_text("An analysis is running")
    held[0].continue_()
    expect(begun.page.locator("#headline")).to_be_visible()
    expect(begun.page.locator("#failure")).to_be_hidden()
    expect(begun.page.locator(".other-views")).to_have_count(0)


def test_what_is_sent_is_the_photo_and_the_details_without_the_files_name(visit: Begin, canned: Server) -> None:
    begun = visit(canned)
    page = begun.page
    page.add_init_script("""
        XMLHttpRequest.prototype.send = function (body) {
            window.sent = [...body].map(([name, value]) => [name, value instanceof File ? value.name : value]);
        };
    """)
    begun.open()
    page.set_input_files("#file", [photo_file(skin_photo(), "Jane Doe.jpg")])
    begun.open_all()
    page.fill("[name=age]", "54")
    page.select_option("[name=body_site]", "arm")
    page.fill("[name=pixels_per_mm]", "12.5")
    page.click("#analyse")
    sent = dict(page.evaluate("window.sent"))
    assert sent == {"image": "view-1", "age": "54", "body_site": "arm", "pixels_per_mm": "12.5", "outline": "true"}


def test_photos_are_released_when_they_are_not_shown_any_more(visit: Begin, canned: Server) -> None:
    begun = visit(canned)
    begun.page.add_init_script("""
        window.open_urls = new Set();
        const [make, revoke] = [URL.createObjectURL, URL.revokeObjectURL];
        URL.createObjectURL = (file) => { const url = make.call(URL, file); window.open_urls.add(url); return url; };
        URL.revokeObjectURL = (url) => { window.open_urls.delete(url); revoke.call(URL, url); };
    """)
    begun.open().choose(FIRST)
    count = "window.open_urls.size"
    assert begun.page.evaluate(count) == 1
    begun.analyse()
    assert begun.page.evaluate(count) == 3  # of the preview, the answer and the paper
    begun.page.get_by_role("button", name="New analysis").click()
    assert begun.page.evaluate(count) == 0


def test_the_camera_gives_advice_and_a_photo(visit: Begin, screenshots: Path) -> None:
    begun = visit().open()
    page = begun.page
    page.click("#camera")
    expect(page.locator("#shoot")).to_be_enabled()
    expect(page.locator("#camera-hint")).to_have_text(re.compile("take the photo|Hold still|dark|bright|colour"))
    page.screenshot(path=screenshots / "camera.png")
    page.click("#shoot")
    expect(page.locator("#viewfinder")).to_be_hidden()
    expect(page.locator("#previews img")).to_have_count(1)
    assert page.locator("#video").evaluate("(video) => video.srcObject") is None
    answer = begun.analyse()
    assert min(answer["image"]["width"], answer["image"]["height"]) >= 240


def test_a_camera_that_is_not_allowed_is_told_with_what_to_do(visit: Begin, screenshots: Path) -> None:
    begun = visit()
    begun.page.add_init_script(
        "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotAllowedError'); };"
    )
    begun.open().page.click("#camera")
    expect(begun.page.locator("#camera-why")).to_contain_text("was not allowed")
    expect(begun.page.locator("#viewfinder")).to_be_hidden()
    begun.page.screenshot(path=screenshots / "camera-denied.png")


def test_a_phone_takes_the_photo_with_its_own_application(visit: Begin) -> None:
    page = visit(is_mobile=True, has_touch=True).open().page
    expect(page.locator("#camera")).to_be_hidden()
    expect(page.locator("#capture-label")).to_be_visible()
    expect(page.locator("#capture")).to_have_attribute("capture", "environment")


def test_without_https_the_page_says_why_the_camera_cannot_open(visit: Begin, server: Server) -> None:
    page = visit(url=server.url.replace("127.0.0.1", "page.test")).open().page
    assert page.evaluate("window.isSecureContext") is False
    expect(page.locator("#camera")).to_be_hidden()
    expect(page.locator("#camera-why")).to_contain_text("https")


def test_the_form_waits_for_modules_that_are_slow(visit: Begin) -> None:
    begun = visit()
    page = begun.page
    held: list[Route] = []
    page.route("**/assets/request/submission.js", lambda route: held.append(route))  # noqa: PLW0108 - not a builtin
    page.goto(begun.url, wait_until="commit")
    expect(page.locator("#loading")).to_be_visible()
    expect(page.locator("#file")).to_have_count(0)
    expect(page.locator("#loading span")).to_be_hidden()
    page.evaluate("document.getAnimations().forEach((animation) => animation.finish())")  # as after some seconds
    expect(page.locator("#loading span")).to_be_visible()
    for route in held:
        route.continue_()
    expect(page.locator("#file")).to_be_enabled()
    expect(page.locator("#loading")).to_have_count(0)


def test_without_scripts_the_page_says_what_it_needs(visit: Begin) -> None:
    begun = visit(java_script_enabled=False)
    begun.page.goto(begun.url)
    assert "<noscript>" in begun.page.content()  # shown only where the browser's own settings forbid scripts
    expect(begun.page.locator("#file")).to_have_count(0)
