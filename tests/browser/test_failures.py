"""What visitors are told when something goes wrong, and how they go on."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from ml.errors import ImageError
from tests.browser.visit import Visit, held_upload, photo_file
from tests.e2e.server import ANALYZE, Server, skin_photo
from web.errors import STATUS

Begin = Callable[..., Visit]
KEY = "a-key-of-a-test-that-is-long"


@pytest.mark.parametrize(
    ("photo", "title", "words"),
    [
        (b"these bytes are no image", "This kind of file cannot be read", "JPEG"),
        (skin_photo()[:3000], "The photo is damaged", ""),
        (skin_photo(20, 20), "The photo is too small", "32"),
    ],
    ids=["415", "422 broken", "422 small"],
)
def test_a_file_that_cannot_be_used(visit: Begin, photo: bytes, title: str, words: str) -> None:
    failure = visit().open().choose(photo).fail()
    expect(failure.get_by_role("heading")).to_have_text(title)
    expect(failure).to_contain_text(words)
    expect(failure).to_contain_text("Request")
    expect(failure).to_be_focused()


def test_an_impossible_age_is_told_before_anything_is_sent(visit: Begin) -> None:
    begun = visit().open()
    begun.choose(skin_photo()).open_all().page.fill("[name=age]", "300")
    begun.page.locator(".more summary").click()  # a folded field must not hide what is wrong with it
    expect(begun.fail()).to_contain_text("from 0 to 120")
    expect(begun.page.locator("[name=age]")).to_be_visible()


def test_a_photo_too_large_for_the_service(visit: Begin, start_mock: Callable[..., Server]) -> None:
    small = start_mock(DERMSERVE_MAX_UPLOAD_MB="1", DERMSERVE_MAX_PIXELS="60000")
    begun = visit(small).open()
    expect(begun.page.locator("#photo-hint")).to_contain_text("up to 1 MB")
    begun.choose(skin_photo())
    expect(begun.fail()).to_contain_text("The photo is too large")
    begun.page.get_by_role("button", name="Remove photo 1").click()
    begun.page.set_input_files("#file", [photo_file(bytes(1_200_000))])
    expect(begun.fail()).to_contain_text("1 MB that the service accepts")


def test_a_busy_service_is_asked_again_after_its_own_time(
    visit: Begin, start_mock: Callable[..., Server], screenshots: Path
) -> None:
    narrow = start_mock(GUNICORN_THREADS="3")  # one place
    begun = visit(narrow).open().choose(skin_photo())
    with held_upload(narrow):
        failure = begun.fail()
        expect(failure).to_contain_text("The service is busy")
        expect(failure.locator(".countdown")).to_contain_text(re.compile(r"Trying again in \d+ s"))
        begun.page.screenshot(path=screenshots / "busy.png", full_page=True)
    expect(begun.page.locator("#headline")).to_be_visible()  # by itself
    expect(failure).to_be_hidden()


def test_waiting_for_a_busy_service_can_be_stopped(visit: Begin) -> None:
    begun = visit().open().choose(skin_photo())
    begun.page.route(f"**{ANALYZE}", lambda route: route.fulfill(status=503, headers={"Retry-After": "60"}, json={}))
    failure = begun.fail()
    expect(failure.locator(".seconds")).to_have_text(re.compile("60 s|59 s"))
    failure.get_by_role("button", name="Stop waiting").click()
    expect(failure.locator(".countdown")).to_have_count(0)
    begun.page.unroute(f"**{ANALYZE}")
    failure.get_by_role("button", name="Try again").click()
    expect(begun.page.locator("#headline")).to_be_visible()


def test_a_service_with_keys_asks_for_one(visit: Begin, start_mock: Callable[..., Server]) -> None:
    begun = visit(start_mock(DERMSERVE_API_KEYS=KEY)).open().choose(skin_photo())
    expect(begun.page.locator("#key")).to_be_hidden()
    expect(begun.fail()).to_contain_text("A key is needed")
    expect(begun.page.locator("#key")).to_be_focused()
    begun.page.keyboard.type(KEY)
    assert begun.analyse()["success"] is True


def test_too_many_requests(visit: Begin, start_mock: Callable[..., Server]) -> None:
    begun = visit(start_mock(DERMSERVE_RATE_LIMIT="1/hour")).open().choose(skin_photo())
    begun.analyse()
    begun.page.go_back()
    failure = begun.fail()
    expect(failure).to_contain_text("Too many requests")
    expect(failure.locator(".countdown")).to_be_visible()


def test_an_analysis_that_takes_too_long(visit: Begin, start_mock: Callable[..., Server]) -> None:
    begun = visit(start_mock(ANALYSIS_TIMEOUT="0.0001")).open().choose(skin_photo())
    failure = begun.fail()
    expect(failure).to_contain_text("The analysis took too long")
    expect(failure.get_by_role("button", name="Try again")).to_be_visible()


def test_a_lost_network_keeps_the_photo(visit: Begin, screenshots: Path) -> None:
    begun = visit().open().choose(skin_photo())
    begun.page.context.set_offline(True)
    failure = begun.fail()
    expect(failure).to_contain_text("The service could not be reached")
    begun.page.screenshot(path=screenshots / "offline.png", full_page=True)
    begun.page.context.set_offline(False)
    failure.get_by_role("button", name="Try again").click()
    expect(begun.page.locator("#headline")).to_be_visible()


@pytest.mark.parametrize(
    ("status", "title"), [(400, "could not be read"), (404, "not found"), (500, "went wrong"), (502, "went wrong")]
)
def test_an_answer_that_is_not_ours(visit: Begin, status: int, title: str) -> None:
    begun = visit().open().choose(skin_photo())
    begun.page.route(f"**{ANALYZE}", lambda route: route.fulfill(status=status, body="<h1>Bad Gateway</h1>"))
    failure = begun.fail()
    expect(failure.get_by_role("heading")).to_contain_text(title)
    assert "<h1>" not in failure.inner_text()


def refusal(status: int, error: dict[str, object]) -> Callable[[Route], None]:
    """The service refuses every photo with ``error``."""
    return lambda route: route.fulfill(status=status, json={"error": error})


SPEAKS_OF_PHOTOS = [ImageError, *ImageError.__subclasses__()]
CODES = [(status, code, kind in SPEAKS_OF_PHOTOS) for kind, (status, code) in STATUS.items()]


def test_the_page_has_its_own_words_for_what_the_api_says(visit: Begin, canned: Server) -> None:
    begun = visit(canned).open().choose(skin_photo())
    for status, code, shown in CODES:
        error = {"code": code, "message": "Words of the API.", "details": {"max_pixels": 5}}
        begun.page.route(f"**{ANALYZE}", refusal(status, error))
        failure = begun.fail()
        assert ("Words of the API." in failure.inner_text()) == shown, code
        begun.page.unroute(f"**{ANALYZE}")


@pytest.mark.parametrize("code", ["bad_field", "impossible_value"])
@pytest.mark.parametrize(
    ("field", "name"), [("pixels_per_mm", "“Pixels for each millimetre of skin”"), ("k", "One of the details")]
)
def test_a_detail_that_the_service_refuses_is_named_as_on_the_page(
    visit: Begin, canned: Server, code: str, field: str, name: str
) -> None:
    begun = visit(canned).open().choose(skin_photo())
    error = {"code": code, "message": f"{field} must be another.", "details": {"field": field}}
    begun.page.route(f"**{ANALYZE}", refusal(422, error))
    expect(begun.fail()).to_contain_text(f"{name} has a value that the service does not accept")


def other_photo(page: Page) -> None:
    page.set_input_files("#file", [photo_file(skin_photo(seed=1))])


def no_photo(page: Page) -> None:
    page.get_by_role("button", name="Remove photo 1").click()


def another_age(page: Page) -> None:
    page.fill("[name=age]", "54")


@pytest.mark.parametrize("change", [other_photo, no_photo, another_age])
def test_what_was_changed_is_not_sent_unasked(visit: Begin, canned: Server, change: Callable[[Page], None]) -> None:
    begun = visit(canned)
    begun.page.clock.install()
    begun.open().choose(skin_photo()).open_all()
    asked: list[str] = []
    begun.page.on("request", lambda request: asked.append(request.url) if ANALYZE in request.url else None)
    begun.page.route(
        f"**{ANALYZE}", lambda route: route.fulfill(status=503, headers={"Retry-After": "60"}, json={"error": {}})
    )
    expect(begun.fail().locator(".seconds")).to_have_text(re.compile(r"\d+ s"))
    change(begun.page)
    expect(begun.page.locator(".countdown")).to_have_count(0)
    begun.page.clock.run_for("02:00")
    assert len(asked) == 1


def test_an_analysis_can_be_cancelled(visit: Begin) -> None:
    begun = visit().open().choose(skin_photo())
    held: list[Route] = []
    begun.page.route(f"**{ANALYZE}", lambda route: held.append(route))  # noqa: PLW0108 - not a builtin
    begun.page.click("#analyse")
    expect(begun.page.locator("#progress-label")).to_have_text(re.compile("Analysing|Sending"))
    begun.page.click("#cancel")
    expect(begun.page.locator("#progress")).to_be_hidden()
    expect(begun.page.locator("#analyse")).to_be_focused()
    expect(begun.page.locator("#failure")).to_be_hidden()
