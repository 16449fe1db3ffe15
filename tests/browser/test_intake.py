"""The ways in which a photo comes onto the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Route, expect

from tests.browser.visit import Visit
from tests.e2e.server import Server, skin_photo

Begin = Callable[..., Visit]


def test_a_photo_can_be_dropped_anywhere(visit: Begin) -> None:
    begun = visit().open()
    page = begun.page
    dropped = begun.transfer(skin_photo())
    page.dispatch_event("#drop", "dragenter", {"dataTransfer": dropped})
    expect(page.locator("#drop")).to_have_class("drop over")
    page.dispatch_event("h1", "drop", {"dataTransfer": dropped})
    expect(page.locator("#previews img")).to_have_count(1)
    expect(page.locator("#drop")).to_have_class("drop filled")
    assert begun.analyse()["success"] is True


def test_a_photo_can_be_pasted(visit: Begin) -> None:
    begun = visit().open()
    begun.page.evaluate(
        "(clipboardData) => document.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }))",
        begun.transfer(skin_photo()),
    )
    expect(begun.page.locator("#previews img")).to_have_count(1)
    assert begun.analyse()["success"] is True


def test_what_is_not_a_picture_is_not_taken(visit: Begin) -> None:
    begun = visit().open()
    begun.page.dispatch_event("body", "drop", {"dataTransfer": begun.transfer(b"words", "notes.txt", "text/plain")})
    expect(begun.page.locator("#failure")).to_contain_text("not a picture")
    expect(begun.page.locator("#previews li")).to_have_count(0)


def test_a_photo_can_be_taken_with_the_camera(visit: Begin, screenshots: Path) -> None:
    begun = visit().open()
    page = begun.page
    page.click("#camera")
    expect(page.locator("#shoot")).to_be_enabled()
    page.screenshot(path=screenshots / "camera.png")
    page.click("#shoot")
    expect(page.locator("#viewfinder")).to_be_hidden()
    expect(page.locator("#previews img")).to_have_count(1)
    assert page.evaluate("document.getElementById('video').srcObject") is None
    answer = begun.analyse()
    assert min(answer["image"]["width"], answer["image"]["height"]) >= 240


def test_a_camera_that_is_not_allowed_is_told_with_what_to_do(visit: Begin) -> None:
    begun = visit()
    begun.page.add_init_script(
        "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotAllowedError'); };"
    )
    begun.open().page.click("#camera")
    expect(begun.page.locator("#camera-why")).to_contain_text("was not allowed")
    expect(begun.page.locator("#viewfinder")).to_be_hidden()


def test_without_https_the_phones_own_camera_is_offered_and_why(visit: Begin, server: Server) -> None:
    page = visit(url=server.url.replace("127.0.0.1", "page.test")).open().page
    assert page.evaluate("window.isSecureContext") is False
    expect(page.locator("#camera")).to_be_hidden()
    expect(page.locator("#capture-label")).to_be_visible()
    expect(page.locator("#capture")).to_have_attribute("capture", "environment")
    expect(page.locator("#camera-why")).to_contain_text("https")


def test_the_form_waits_for_modules_that_are_slow(visit: Begin) -> None:
    begun = visit()
    page = begun.page
    held: list[Route] = []
    page.route("**/assets/request/submission.js", lambda route: held.append(route))  # noqa: PLW0108 - not a builtin
    page.goto(begun.url, wait_until="commit")
    expect(page.locator("#loading")).to_be_visible()
    expect(page.locator("#analyse")).to_be_disabled()
    expect(page.locator("#loading span")).to_be_hidden()
    page.evaluate("document.getAnimations().forEach((animation) => animation.finish())")  # as after some seconds
    expect(page.locator("#loading span")).to_be_visible()
    for route in held:
        route.continue_()
    expect(page.locator("#analyse")).to_be_enabled()
    expect(page.locator("#loading")).to_have_count(0)


def test_without_scripts_the_page_says_what_it_needs(visit: Begin) -> None:
    begun = visit(java_script_enabled=False)
    begun.page.goto(begun.url)
    assert "<noscript>" in begun.page.content()  # shown only where the browser's own settings forbid scripts
    expect(begun.page.locator("#analyse")).to_be_disabled()
