"""That everyone can use the page: on a phone, in the dark, by keyboard, by ear, and on paper."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.visit import Visit, photo_file, tab_to
from tests.e2e.server import Server, skin_photo

Begin = Callable[..., Visit]
NARROW = {"viewport": {"width": 320, "height": 640}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_people_out(visit: Begin, scheme: str, portrait: bytes, screenshots: Path) -> None:
    begun = visit(color_scheme=scheme).open()
    assert begun.barriers() == []
    begun.choose(b"these bytes are no image")
    expect(begun.fail()).to_be_visible()
    assert begun.barriers() == []
    for photo in (skin_photo(), portrait):
        begun.choose(photo)
        expect(begun.page.locator("#check")).to_be_visible()
        assert begun.barriers() == []
        begun.analyse()
        assert begun.barriers() == []
        begun.open_all()
        assert begun.barriers() == []
    begun.save("face")
    begun.load_pictures()
    begun.page.screenshot(path=screenshots / f"open-{scheme}.png", full_page=True)
    begun.open_diary()
    assert begun.barriers() == []
    background = begun.page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (sum(background) < 3 * 60) == (scheme == "dark")


def test_320_pixels_need_no_sideways_scrolling(visit: Begin, portrait: bytes, screenshots: Path) -> None:
    begun = visit(**NARROW).open().open_all()
    assert begun.overflow() <= 0
    begun.choose(portrait, skin_photo())
    assert begun.overflow() <= 0
    begun.page.locator("[name=modality]").select_option("dermatoscopic")  # the answer with the most parts
    begun.analyse()
    assert begun.open_all().overflow() <= 0
    begun.save("a spot with a long name of sixty characters, left shoulder")
    begun.open_diary()
    assert begun.overflow() <= 0
    begun.page.screenshot(path=screenshots / "narrow-diary.png", full_page=True)


def test_the_documentation_needs_no_sideways_scrolling(visit: Begin, server: Server, screenshots: Path) -> None:
    begun = visit(**NARROW)
    begun.page.goto(f"{server.url}/api/docs")
    assert begun.open_all().overflow() <= 0
    assert begun.barriers() == []
    begun.page.screenshot(path=screenshots / "narrow-docs.png")


def test_the_keyboard_alone_is_enough(visit: Begin, portrait: bytes) -> None:
    page = visit().open().page
    with page.expect_file_chooser() as chooser:
        tab_to(page, "#file")
        page.keyboard.press("Space")
    chooser.value.set_files([photo_file(portrait)])
    expect(page.locator("#previews img")).to_have_count(1)
    tab_to(page, "#analyse")
    page.keyboard.press("Enter")
    expect(page.locator("#headline")).to_be_focused()
    tab_to(page, ".technical > summary")
    page.keyboard.press("Enter")
    tab_to(page, ".raw summary")
    page.keyboard.press("Enter")
    expect(page.locator(".raw pre")).to_be_visible()


def test_listeners_are_told_what_happens(visit: Begin, canned: Server) -> None:
    begun = visit(canned).open()
    status = begun.page.locator("#progress + #status[role=status]")
    begun.choose(skin_photo())
    expect(status).to_have_text("1 photo chosen.")
    expect(begun.page.locator("#check[role=status]")).to_be_visible()
    begun.analyse()
    expect(status).to_have_text("The answer is ready.")
    expect(begun.page.locator("#headline")).to_be_focused()


def values_of(answer: dict[str, Any], measures: dict[str, dict[str, Any]]) -> list[str]:
    """The texts of an answer that paper must have."""
    summary = answer["summary"]
    texts = [summary["headline"], summary["next_step"], summary["limits"], answer["disclaimer"]]
    texts += [finding["text"] for finding in summary["findings"]]
    for one in (one for one in answer["skin"]["measurements"] if one.get("value") is not None):
        texts += [one["label"], measures[one["name"]]["method"]]
    for model in answer["models"]:
        texts.append(f"{model['name']} {model['version']}")
    return [*texts, answer["analysis_id"]]


@pytest.mark.parametrize("kind", ["lesion_close_up", "face"])
def test_paper_has_all_values_on_at_most_two_pages(visit: Begin, kind: str, portrait: bytes, screenshots: Path) -> None:
    begun = visit().open().choose(portrait if kind == "face" else skin_photo()).open_all()
    begun.page.select_option("[name=modality]", kind)
    answer = begun.analyse()
    page = begun.page
    page.emulate_media(media="print")
    expect(page.locator("#sheet")).to_contain_text(answer["analysis_id"])
    paper = page.locator("body").inner_text()
    assert [text for text in values_of(answer, begun.listed("measures")) if text not in paper] == []
    if kind == "face":
        assert "Around left eye" in paper
    else:
        assert answer["lesion"]["caveat"] in paper
        assert all(one["name"] in paper for one in answer["lesion"]["predictions"])
    expect(page.get_by_role("button")).to_have_count(0)
    pages = page.pdf(path=screenshots / f"paper-{kind}.pdf", format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", pages)) <= 2


def test_a_report_is_one_file_that_needs_no_other(
    visit: Begin, portrait: bytes, tmp_path: Path, screenshots: Path
) -> None:
    begun = visit().open().choose(portrait)
    answer = begun.analyse()
    page = begun.page
    with page.expect_download() as download:
        page.get_by_role("button", name="Get a report").click()
    file = tmp_path / "report.html"
    download.value.save_as(file)
    assert not re.search(r'(?:src|href)="(?!data:)', file.read_text())
    values = values_of(answer, begun.listed("measures"))
    page.context.set_offline(True)
    page.goto(file.as_uri())
    report = page.locator("body").inner_text()
    assert [text for text in values if text not in report] == []
    pictures = "[...document.images].map((image) => image.naturalWidth > 0)"
    assert len(page.evaluate(pictures)) >= 2
    assert all(page.evaluate(pictures))
    assert begun.barriers() == []
    page.screenshot(path=screenshots / "report.png", full_page=True)
