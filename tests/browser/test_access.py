"""That everyone can use the page: on a phone, in the dark, by keyboard, by ear, and on paper."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visit import Visit, photo_file
from tests.e2e.server import skin_photo

Begin = Callable[..., Visit]
PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_people_out(visit: Begin, scheme: str, portrait: bytes, screenshots: Path) -> None:
    begun = visit(color_scheme=scheme).open()
    assert begun.barriers() == []
    expect(begun.fail()).to_be_visible()
    assert begun.barriers() == []
    begun.choose(portrait).analyse()
    for summary in begun.page.locator("#report summary").all():
        summary.click()
    assert begun.barriers() == []
    begun.choose(skin_photo()).analyse()
    assert begun.barriers() == []
    background = begun.page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (sum(background) < 3 * 60) == (scheme == "dark")
    begun.load_pictures()
    begun.page.screenshot(path=screenshots / f"{scheme}.png", full_page=True)


def test_a_phone_needs_no_sideways_scrolling(visit: Begin, portrait: bytes, screenshots: Path) -> None:
    begun = visit(**PHONE).open()
    assert begun.overflow() <= 0
    begun.choose(portrait, skin_photo()).analyse()
    assert begun.overflow() <= 0
    assert begun.barriers() == []
    begun.load_pictures()
    begun.page.screenshot(path=screenshots / "phone.png", full_page=True)


def test_the_keyboard_alone_is_enough(visit: Begin, portrait: bytes) -> None:
    page = visit().open().page
    with page.expect_file_chooser() as chooser:
        tab_to(page, "#file")
        page.keyboard.press("Space")
    chooser.value.set_files([photo_file(portrait)])
    expect(page.locator("#previews img")).to_have_count(1)
    tab_to(page, "#analyse")
    page.keyboard.press("Enter")
    expect(page.locator("#report-title")).to_be_focused()
    tab_to(page, ".zone-name")
    page.keyboard.press("Enter")
    expect(page.locator(".zones-drawing polygon.chosen")).to_have_count(1)
    tab_to(page, ".raw summary")
    page.keyboard.press("Enter")
    expect(page.locator(".raw pre")).to_be_visible()


def test_paper_has_the_findings_and_what_they_are_not(visit: Begin, screenshots: Path) -> None:
    begun = visit().open().choose(skin_photo())
    answer = begun.analyse()
    page = begun.page
    page.emulate_media(media="print")
    expect(page.locator("#form")).to_be_hidden()
    expect(page.locator(".disclaimer")).to_have_text(answer["disclaimer"])
    expect(page.locator(".tone")).to_be_visible()
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    assert page.pdf(path=screenshots / "report.pdf", format="A4").startswith(b"%PDF")


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is there."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached with the Tab key")
