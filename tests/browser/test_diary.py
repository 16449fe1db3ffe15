"""The diary on the person's own device: kept, charted, compared, exported, and gone when it is erased."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, Request, Route, expect

from tests.browser.visit import Visit
from tests.e2e.server import ANALYZE, Server, skin_photo

Begin = Callable[..., Visit]
COMPARE = "/api/compare/skin"
SPOT = "mole, left arm"


def keep(begun: Visit, *places: str) -> None:
    """Analyse one photo for each of ``places`` and save it there. The photos are 240, 260, 280, … pixels high."""
    for seed, place in enumerate(places):
        begun.choose(skin_photo(320, 240 + 20 * seed, seed))
        begun.analyse()
        begun.save(place)


def exported(page: Page) -> str:
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as one file").click()
    return download.value.path().read_text()


def test_five_entries_survive_a_reload_are_exported_and_are_gone_after_erasing(
    visit: Begin, canned: Server, screenshots: Path
) -> None:
    begun = visit(canned).open()
    page = begun.page
    keep(begun, SPOT, SPOT, SPOT, "face", "face")
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if request.method != "GET" else None)
    begun.open_diary()
    page.reload()
    expect(page.locator(".entries li")).to_have_count(5)
    expect(page.get_by_role("button", name="Diary (5)")).to_be_visible()
    page.screenshot(path=screenshots / "diary.png", full_page=True)

    file = exported(page)
    answers = re.search(r'<script type="application/json" id="answers">(.*?)</script>', file, re.DOTALL)
    assert answers
    assert [one["place"] for one in json.loads(answers[1])] == [SPOT] * 3 + ["face"] * 2
    assert file.count('src="data:image/jpeg;base64,') >= 5
    assert not re.search(r'(?:src|href)="(?!data:)', file)  # the file needs no other

    page.get_by_role("button", name="Delete the entry of").first.click()
    expect(page.locator(".entries li")).to_have_count(4)
    page.get_by_role("button", name="Erase the diary").click()
    page.get_by_role("button", name="Yes, delete").click()
    expect(page.locator("#diary-screen")).to_contain_text("Nothing is saved yet")
    page.reload()
    expect(page.locator("#diary-screen")).to_contain_text("Nothing is saved yet")
    assert sent == []  # nothing of the diary left the browser


def test_a_measure_is_drawn_over_time_with_its_band_and_as_a_table(visit: Begin, canned: Server) -> None:
    begun = visit(canned).open()
    keep(begun, SPOT, SPOT)
    begun.open_diary()
    chart = begun.page.locator(".chart")
    expect(chart.locator("svg")).to_have_attribute("aria-label", re.compile("^Evenness of tone, L\\*, from"))
    expect(chart.locator(".point")).to_have_count(2)
    expect(chart.locator(".band")).to_have_count(1)
    chart.locator("summary").click()
    expect(chart.locator("tbody td")).to_have_text(["1.50 ± 0.10\u00a0L*"] * 2)


def test_two_entries_are_compared_under_a_slider(visit: Begin, canned: Server, screenshots: Path) -> None:
    begun = visit(canned, viewport={"width": 360, "height": 780}).open()
    page = begun.page
    keep(begun, SPOT, SPOT)
    begun.open_diary()
    with page.expect_response(f"**{COMPARE}") as compared:
        page.get_by_role("button", name="Compare two photos").click()
    answer = compared.value.json()
    assert [answer[one]["image"]["height"] for one in ("before", "after")] == [240, 260]
    assert answer["before"]["date"] == answer["after"]["date"] == answer["timestamp"][:10]
    expect(page.locator("#comparison-title")).to_be_focused()
    expect(page.locator("#comparison-title")).to_have_text(answer["summary"]["headline"])
    expect(page.locator("#comparison")).to_contain_text(answer["summary"]["next_step"])
    rows = page.locator(".changes tbody tr")
    expect(rows).to_have_count(len(answer["measures"]))
    expect(rows.first).to_contain_text("Higher by 1.00 ± 0.40")
    slider = page.get_by_role("slider")
    slider.fill("20")
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.slider .after')).clipPath") == "inset(0px 0px 0px 20%)"
    )
    assert begun.overflow() <= 0
    assert begun.barriers() == []
    page.screenshot(path=screenshots / "comparison.png", full_page=True)


def test_the_person_can_say_that_both_photos_show_the_same_place(visit: Begin, canned: Server) -> None:
    begun = visit(canned).open()
    page = begun.page
    keep(begun, SPOT, SPOT)
    begun.open_diary()
    confirmed: list[bool] = []

    def unsure(route: Route) -> None:
        confirmed.append(b'name="confirmed"\r\n\r\ntrue' in (route.request.post_data_buffer or b""))
        answer = route.fetch().json()
        answer["same_place"] |= {"verdict": "unsure", "confidence": None}
        route.fulfill(json=answer)

    page.route(f"**{COMPARE}", unsure)
    page.get_by_role("button", name="Compare two photos").click()
    page.get_by_role("button", name="Both show the same place").click()
    expect(page.locator("#comparison-title")).to_be_focused()
    expect(page.get_by_role("button", name="Both show the same place")).to_have_count(0)
    assert confirmed == [False, True]


def test_a_comparison_that_fails_says_so_and_the_diary_stays(visit: Begin, canned: Server) -> None:
    begun = visit(canned).open()
    keep(begun, SPOT, SPOT)
    begun.open_diary()
    begun.page.context.set_offline(True)
    begun.page.get_by_role("button", name="Compare two photos").click()
    expect(begun.page.locator("#page-failure")).to_contain_text("could not be reached")
    expect(begun.page.locator(".entries li")).to_have_count(2)


def test_an_entry_is_opened_again_without_the_service(visit: Begin, canned: Server) -> None:
    begun = visit(canned).open()
    keep(begun, SPOT)
    begun.page.route(f"**{ANALYZE}", lambda route: route.abort())
    begun.open_diary()
    begun.page.locator(".entries .link").first.click()
    expect(begun.page.locator("#entry #headline")).to_be_focused()
    expect(begun.page.locator("#entry .photo .base")).to_be_visible()
    begun.page.get_by_role("button", name="Back to the diary").click()
    expect(begun.page.locator("#diary-title")).to_be_visible()


def test_a_browser_that_keeps_nothing_says_so(visit: Begin, canned: Server) -> None:
    begun = visit(canned)
    begun.page.add_init_script(
        "indexedDB.open = () => { throw new DOMException('', 'InvalidStateError'); };"  # as some private windows do
    )
    begun.open().choose(skin_photo())
    begun.analyse()
    begun.page.get_by_role("button", name="Save to diary").click()
    expect(begun.page.locator("#page-failure")).to_contain_text("The diary cannot be used")
