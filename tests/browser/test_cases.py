"""Where one case ends and the next begins, and that no report stands under what it is not about."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.visit import Visit, photo_file
from tests.e2e.server import ANALYZE, Server, skin_photo

Begin = Callable[..., Visit]
FIRST, SECOND, THIRD = (skin_photo(320, 240, seed) for seed in range(3))
ROUTE = f"**{ANALYZE}"


def choose(begun: Visit, photo: bytes) -> None:
    begun.choose(photo)


def drop(begun: Visit, photo: bytes) -> None:
    begun.page.dispatch_event("h1", "drop", {"dataTransfer": begun.transfer(photo)})


def paste(begun: Visit, photo: bytes) -> None:
    begun.page.evaluate(
        "(clipboardData) => document.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }))",
        begun.transfer(photo),
    )


def take(begun: Visit, _: bytes) -> None:
    begun.page.click("#camera")
    expect(begun.page.locator("#shoot")).to_be_enabled()
    begun.page.click("#shoot")
    expect(begun.page.locator("#viewfinder")).to_be_hidden()


def hold(page: Page) -> list[Route]:
    """Requests are kept waiting; those that came are in the list."""
    held: list[Route] = []
    page.route(ROUTE, lambda route: held.append(route))  # noqa: PLW0108 - not a builtin
    return held


def busy(route: Route) -> None:
    route.fulfill(status=503, headers={"Retry-After": "60"}, json={"error": {"code": "busy", "message": ""}})


@pytest.mark.parametrize("way", [choose, drop, paste, take])
def test_a_new_photo_after_an_answer_is_a_new_case(
    visit: Begin, canned: Server, way: Callable[[Visit, bytes], None]
) -> None:
    begun = visit(canned).open().choose(FIRST)
    begun.analyse()
    way(begun, SECOND)
    expect(begun.page.locator("#previews li")).to_have_count(1)
    assert len(begun.analyse()["image"]["views"]) == 1


def test_a_view_of_the_same_spot_is_added_on_purpose(visit: Begin, canned: Server) -> None:
    begun = visit(canned).open()
    another = begun.page.get_by_label("Add another view of the same spot")
    begun.choose(FIRST)
    expect(another).to_be_hidden()
    begun.choose(SECOND)  # before the first answer
    expect(begun.page.locator("#previews li")).to_have_count(2)
    begun.page.get_by_role("button", name="Remove photo 2").click()
    begun.analyse()
    for count in (2, 3):
        another.set_input_files([photo_file(SECOND)])
        expect(begun.page.locator("#previews li")).to_have_count(count)
    expect(another).to_be_hidden()  # there is no room for more
    assert len(begun.analyse()["image"]["views"]) == 3
    begun.choose(THIRD)
    expect(begun.page.locator("#previews li")).to_have_count(1)


def test_what_is_no_picture_ends_no_case(visit: Begin, canned: Server) -> None:
    begun = visit(canned).open().choose(FIRST)
    begun.analyse()
    begun.page.set_input_files("#file", [photo_file(b"words", "notes.txt", "text/plain")])
    expect(begun.page.locator("#failure")).to_contain_text("not a picture")
    expect(begun.page.locator("#previews li")).to_have_count(1)


def test_a_new_analysis_forgets_all_but_the_key(visit: Begin, start_mock: Callable[..., Server]) -> None:
    key = "a-key-of-a-test-that-is-long"
    begun = visit(start_mock(DERMSERVE_API_KEYS=key)).open().choose(FIRST)
    begun.fail()
    page = begun.page
    page.fill("#key", key)
    page.fill("[name=age]", "54")
    page.select_option("[name=body_site]", "arm")
    page.check("[name=explain]")
    begun.analyse()
    page.get_by_role("button", name="New analysis").press("Enter")
    expect(page.locator("#report")).to_be_hidden()
    expect(page.locator("#previews li")).to_have_count(0)
    expect(page.locator("#another-view")).to_be_hidden()
    expect(page.locator("#file")).to_be_focused()
    expect(page.locator("[name=age]")).to_have_value("")
    expect(page.locator("[name=body_site]")).to_have_value("")
    expect(page.locator("[name=explain]")).not_to_be_checked()
    expect(page.locator("#key")).to_have_value(key)
    begun.choose(SECOND)
    assert begun.analyse()["success"] is True


def test_what_is_drawn_is_drawn_on_the_photo_of_the_report(visit: Begin, canned: Server) -> None:
    begun = visit(canned).open().choose(FIRST)
    begun.page.select_option("[name=sex]", "female")
    begun.analyse()
    begun.choose(SECOND, THIRD)
    begun.page.select_option("[name=sex]", "male")
    held = hold(begun.page)
    with begun.page.expect_request(ROUTE):
        begun.page.get_by_role("button", name="Show skin, pigment").click()
    (request,) = (route.request for route in held)
    sent = request.post_data_buffer or b""
    assert FIRST in sent
    assert b'name="explain"\r\n\r\ntrue' in sent
    assert b'name="sex"\r\n\r\nfemale' in sent
    assert sent.count(b'name="image"') == 1
    held[0].continue_()
    expect(begun.page.locator("#report")).to_be_visible()
    begun.choose(FIRST)  # the chosen case has no answer yet
    expect(begun.page.locator("#previews li")).to_have_count(3)


def test_a_report_leaves_when_an_analysis_starts_and_comes_back_when_it_is_cancelled(
    visit: Begin, canned: Server
) -> None:
    begun = visit(canned).open().choose(FIRST)
    page, report = begun.page, begun.page.locator("#report")
    begun.analyse()
    held = hold(page)
    page.click("#analyse")
    expect(report).to_be_hidden()
    page.click("#cancel")
    expect(report).to_be_visible()
    assert len(held) == 1
    page.unroute(ROUTE)
    page.route(ROUTE, lambda route: route.fulfill(status=500, json={}))
    begun.fail()
    expect(report).to_be_hidden()
    page.unroute(ROUTE)
    hold(page)
    page.click("#analyse")
    page.click("#cancel")
    expect(page.locator("#progress")).to_be_hidden()
    expect(report).to_be_hidden()  # it is of an analysis before the one that failed


def test_no_report_stands_under_what_is_wrong_with_the_next_analysis(visit: Begin, canned: Server) -> None:
    begun = visit(canned).open().choose(FIRST)
    begun.analyse()
    begun.page.fill("[name=age]", "300")
    expect(begun.fail()).to_contain_text("from 0 to 120")
    expect(begun.page.locator("#report")).to_be_hidden()


@pytest.mark.parametrize("way", [drop, paste])
def test_a_running_analysis_is_not_disturbed(visit: Begin, canned: Server, way: Callable[[Visit, bytes], None]) -> None:
    begun = visit(canned).open().choose(FIRST)
    held = hold(begun.page)
    with begun.page.expect_request(ROUTE):
        begun.page.click("#analyse")
    way(begun, SECOND)
    expect(begun.page.locator("#failure")).to_contain_text("An analysis is running")
    expect(begun.page.locator("#previews li")).to_have_count(1)
    held[0].continue_()
    expect(begun.page.locator("#report")).to_be_visible()
    expect(begun.page.locator("#failure")).to_be_hidden()
    expect(begun.page.locator(".other-views")).to_have_count(0)


def another_photo(page: Page) -> None:
    page.set_input_files("#file", [photo_file(SECOND)])


def no_photo(page: Page) -> None:
    page.get_by_role("button", name="Remove photo 1").click()


def another_age(page: Page) -> None:
    page.fill("[name=age]", "54")


@pytest.mark.parametrize("change", [another_photo, no_photo, another_age])
def test_what_was_changed_is_not_sent_unasked(visit: Begin, canned: Server, change: Callable[[Page], None]) -> None:
    begun = visit(canned)
    begun.page.clock.install()
    begun.open().choose(FIRST)
    asked: list[str] = []
    begun.page.on("request", lambda request: asked.append(request.url) if ANALYZE in request.url else None)
    begun.page.route(ROUTE, busy)
    expect(begun.fail().locator(".seconds")).to_have_text(re.compile(r"\d+ s"))
    change(begun.page)
    expect(begun.page.locator(".countdown")).to_have_count(0)
    begun.page.clock.run_for("02:00")
    assert len(asked) == 1
