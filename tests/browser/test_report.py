"""From a photo to the analysis, and what of it is there to be looked at."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.browser.visit import Visit, photo_file
from tests.decision_reasons import REASONS
from tests.e2e.server import Server, skin_photo

Begin = Callable[..., Visit]


def test_a_face_is_shown_with_its_zones(visit: Begin, portrait: bytes, screenshots: Path) -> None:
    page = (begun := visit().open().choose(portrait)).page
    answer = begun.analyse()
    expect(page.locator("#report-title")).to_be_focused()
    zones = [zone["name"] for zone in answer["skin"]["zones"]]
    assert len(zones) >= 5
    expect(page.locator(".zones-drawing polygon")).to_have_count(len(zones))
    page.get_by_role("button", name="Nose").click()
    expect(page.locator(".zones-drawing polygon.chosen")).to_have_attribute("data-zone", "nose")
    page.get_by_role("checkbox", name="Face zones").uncheck()
    expect(page.locator(".zones-drawing")).to_be_hidden()
    begun.load_pictures()
    page.screenshot(path=screenshots / "face.png", full_page=True)


def test_similar_cases_are_pictures_and_said_to_be_generated(visit: Begin, screenshots: Path) -> None:
    page = (begun := visit().open().choose(skin_photo())).page
    answer = begun.analyse()
    begun.load_pictures()
    cases = page.locator(".case:not(.own)")
    expect(cases).to_have_count(len(answer["similar_cases"]))
    assert all(page.evaluate("[...document.querySelectorAll('.case img')].map((image) => image.naturalWidth > 0)"))
    assert cases.get_by_text("Generated").count() == len(answer["similar_cases"])
    assert "No disease is named" in page.locator(".decision").inner_text()
    attribution = page.locator(".attribution")
    attribution.locator("summary").click()
    expect(attribution).to_contain_text(next(iter(answer["attribution"].values())))
    page.screenshot(path=screenshots / "close-up.png", full_page=True)


def test_the_lesion_part_begins_with_its_caveat_and_gives_no_verdict(visit: Begin) -> None:
    begun = visit().open().choose(skin_photo())
    begun.page.select_option("[name=modality]", "dermatoscopic")
    lesion = begun.analyse()["lesion"]
    text = begun.page.locator(".lesion").inner_text()
    assert text.index(lesion["caveat"]) < text.index(lesion["predictions"][0]["name"])
    assert "Neither a low number nor a high one is a finding" in text
    colours = begun.page.evaluate(
        "[...document.querySelectorAll('.lesion .bar-fill')].map((bar) => getComputedStyle(bar).backgroundColor)"
    )
    assert len(colours) == 7
    assert len(set(colours)) == 1


def edited(change: Callable[[dict[str, Any]], None]) -> Callable[[Route], None]:
    """The service's own answer, changed."""

    def fulfil(route: Route) -> None:
        answer = route.fetch().json()
        change(answer)
        route.fulfill(json=answer)

    return fulfil


def abstain(answer: dict[str, Any]) -> None:
    answer["decision"] = {"kind": "abstain", "set": [], "coverage": None, "reasons": ["dermatoscopic_photo"]}
    answer["conditions"] = []


#: what a model says of a photo that is unlike its data
NONE_OF_THESE: dict[str, Any] = {
    "predictions": [],
    "sums": [],
    "malignant_probability": None,
    "decision": {"kind": "none_of_these", "set": [], "coverage": None},
}
MODEL = "Similar cases name no condition. A model for {} gives the probabilities below."


@pytest.mark.parametrize(
    ("lesion", "headline"),
    [
        ({"input": "phone"}, MODEL.format("phone photos of a lesion")),
        ({"input": "dermatoscopic", "decision": None}, MODEL.format("dermatoscopic photos")),
        (NONE_OF_THESE, "No condition is named."),
        (None, "No condition is named."),
    ],
)
def test_the_headline_does_not_contradict_the_lesion_model(
    visit: Begin, canned: Server, lesion: dict[str, Any] | None, headline: str
) -> None:
    def change(answer: dict[str, Any]) -> None:
        abstain(answer)
        answer["lesion"] = None if lesion is None else answer["lesion"] | lesion

    begun = visit(canned).open().choose(skin_photo())
    begun.page.route("**/api/analyze/skin", edited(change))
    begun.analyse()
    expect(begun.page.locator(".verdict")).to_have_text(headline)
    expect(begun.page.locator(".lesion")).to_have_count(int(lesion is not None))
    expect(begun.page.locator(".lesion .bar")).to_have_count(2 if lesion and "input" in lesion else 0)


def test_the_possible_lesion_classes_and_the_sums_are_named(visit: Begin, canned: Server) -> None:
    begun = visit(canned).open().choose(skin_photo())
    lesion = begun.analyse()["lesion"]
    first, second = (one["name"] for one in lesion["predictions"])
    expect(begun.page.locator(".lesion .possible")).to_contain_text(
        f"Possible classes: {first}, {second}. For 90\u00a0%"
    )
    expect(begun.page.locator(".lesion .facts")).to_have_text(f"Cancer, together: {second}30\u00a0%")


@pytest.mark.parametrize(
    ("one", "shown", "unit"),
    [
        ({"unit": "share", "value": 0.044, "uncertainty": 0.086}, "4.4 ± 8.6", "\u00a0%"),
        ({"unit": "spots", "value": 5.0, "uncertainty": 3.99}, "5 ± 4", ""),
        ({"unit": "index", "value": -0.2, "uncertainty": 13.0}, "0 ± 13", ""),
        ({"unit": "a*", "value": -1.26, "uncertainty": 3.4}, "−1.3 ± 3.4", "\u00a0a*"),
    ],
)
def test_a_value_is_shown_with_its_uncertainty(
    visit: Begin, canned: Server, one: dict[str, Any], shown: str, unit: str
) -> None:
    def change(answer: dict[str, Any]) -> None:
        for measured in (answer["skin"], *answer["skin"]["zones"]):
            measured["measurements"] = [measured["measurements"][0] | one]

    begun = visit(canned).open().choose(skin_photo())
    begun.page.route("**/api/analyze/skin", edited(change))
    begun.analyse()
    expect(begun.page.locator(".measures tbody td").first).to_have_text(f"{shown}{unit}")
    expect(begun.page.locator(".zones tbody td")).to_have_text(shown)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("lesion_close_up", "One lesion, close up"),
        ("close_up", "Skin"),
        ("dermatoscopic", "Through a dermatoscope"),
        ("face", "Face"),
    ],
)
def test_a_kind_of_photo_is_chosen_and_shown_in_the_same_words(
    visit: Begin, canned: Server, kind: str, words: str
) -> None:
    begun = visit(canned).open().choose(skin_photo())
    begun.page.get_by_label("Kind of photo").select_option(words)
    begun.page.route("**/api/analyze/skin", edited(lambda answer: answer["modality"].update(label=kind)))
    answer = begun.analyse()
    assert answer["modality"]["stated"] == kind
    expect(begun.page.locator(".report-head .hint")).to_contain_text(re.compile(f"^{words} ·"))


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("index", ("Blood", "0.430", "0.430")),
        ("1", ("Blood", "0.430", "0.430")),
        ("°", ("Blood °", "0.430", "0.430°")),
        ("L*", ("Blood L*", "0.430", "0.430\u00a0L*")),
        ("share of skin", ("Blood %", "43", "43\u00a0%")),
    ],
)
def test_a_unit_is_written_once_and_none_for_what_has_no_dimension(
    visit: Begin, canned: Server, unit: str, shown: tuple[str, str, str]
) -> None:
    def change(answer: dict[str, Any]) -> None:
        one = {"name": "erythema_index", "label": "Blood", "value": 0.43, "unit": unit, "uncertainty": None}
        for measured in (answer["skin"], *answer["skin"]["zones"]):
            measured["measurements"] = [measured["measurements"][0] | one]

    begun = visit(canned).open().choose(skin_photo())
    begun.page.route("**/api/analyze/skin", edited(change))
    begun.analyse()
    head, cell, text = shown
    expect(begun.page.locator(".zones thead th").nth(1)).to_have_text(re.compile(f"^{re.escape(head)} ?$"))
    expect(begun.page.locator(".zones tbody td")).to_have_text(cell)
    expect(begun.page.locator(".measures tbody td").first).to_have_text(text)


def test_a_photo_on_which_nothing_was_measured_gets_one_sentence(visit: Begin, canned: Server) -> None:
    def change(answer: dict[str, Any]) -> None:
        for one in answer["skin"]["measurements"]:
            one["value"] = None

    begun = visit(canned).open().choose(skin_photo())
    begun.page.route("**/api/analyze/skin", edited(change))
    begun.analyse()
    expect(begun.page.locator(".measures p")).to_have_text("None of the measures could be taken on this photo.")


def test_every_reason_has_words(visit: Begin, canned: Server) -> None:
    begun = visit(canned).open().choose(skin_photo())
    begun.page.route("**/api/analyze/skin", edited(lambda answer: answer["decision"].update(reasons=REASONS)))
    begun.analyse()
    shown = begun.page.locator(".reasons li").all_inner_texts()
    assert len(shown) == len(REASONS) > 10
    assert not {text.lower() for text in shown} & {f"{code.replace('_', ' ')}." for code in REASONS}


def test_conditions_are_shown_with_one_set_of_numbers(visit: Begin, canned: Server) -> None:
    def calibrate(answer: dict[str, Any]) -> None:
        answer["conditions"][0] |= {"probability": 0.61, "calibrated_probability": 0.23, "band": "possible"}

    begun = visit(canned).open().choose(skin_photo())
    begun.page.route("**/api/analyze/skin", edited(calibrate))
    begun.analyse()
    first = begun.page.locator(".condition").first
    expect(first).to_contain_text("23\u00a0%")
    expect(first).not_to_contain_text("61")


def test_tone_measures_and_provenance_are_the_answers_own(visit: Begin, portrait: bytes) -> None:
    page = (begun := visit().open().choose(portrait)).page
    answer = begun.analyse()
    tone = answer["skin"]["tone"]
    expect(page.locator(".tone")).to_contain_text(f"{tone['group'].capitalize()} in this photo")
    expect(page.locator(".groups .estimate")).to_have_text(tone["group"])
    expect(page.locator(".tone")).not_to_contain_text("ITA")
    evenness = next(one for one in answer["skin"]["measurements"] if one["name"] == "evenness")
    row = page.locator(".measures tr", has_text="Evenness")
    expect(row.locator(".method")).to_be_hidden()
    row.locator("summary").click()
    expect(row.locator(".method")).to_have_text(evenness["method"])
    expect(row.locator(".hint")).to_have_text("Higher means: less even.")
    for model in answer["models"]:
        expect(page.locator(".provenance tr", has_text=model["name"])).to_contain_text(model["licence"])
    page.locator(".raw summary").click()
    expect(page.locator(".raw pre")).to_contain_text(answer["analysis_id"])


def test_conditions_are_bars_with_bands_and_their_coverage(visit: Begin, canned: Server, screenshots: Path) -> None:
    page = (begun := visit(canned).open().choose(skin_photo())).page
    answer = begun.analyse()
    assert answer["decision"]["kind"] == "set"
    expect(page.locator(".set li")).to_have_text(answer["decision"]["set"])
    expect(page.locator(".decision")).to_contain_text("90\u00a0%")
    expect(page.locator(".condition .bar-label")).to_have_text([one["name"] for one in answer["conditions"]])
    first = page.locator(".condition").first
    expect(first).to_contain_text(answer["conditions"][0]["band"])
    first.get_by_role("link").first.click()
    expect(page.locator(".case:target")).to_have_count(1)
    expect(page.locator("#report")).to_contain_text("nothing here was measured")
    page.screenshot(path=screenshots / "conditions.png", full_page=True)


def test_three_views_are_one_case_and_a_fourth_is_not_taken(visit: Begin) -> None:
    begun = visit().open().choose(*(skin_photo(seed=n) for n in range(4)))
    expect(begun.page.locator("#previews li")).to_have_count(3)
    expect(begun.page.locator("#failure")).to_contain_text("at most 3")
    begun.page.get_by_role("button", name="Remove photo 2").click()
    expect(begun.page.locator("#previews li")).to_have_count(2)
    assert len(begun.analyse()["image"]["views"]) == 2
    expect(begun.page.locator(".other-views img")).to_have_count(1)


def test_a_turned_photo_is_upright_under_what_is_drawn_on_it(visit: Begin) -> None:
    image = Image.open(io.BytesIO(skin_photo(320, 240)))
    turned = image.getexif()
    turned[0x0112] = 6  # EXIF orientation: a quarter turn
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=turned)
    begun = visit().open().choose(buffer.getvalue())
    answer = begun.analyse()
    shown = begun.page.evaluate(
        "(({ naturalWidth, naturalHeight }) => [naturalWidth, naturalHeight])(document.querySelector('.frame .base'))"
    )
    assert shown == [240, 320]
    assert [answer["image"]["width"], answer["image"]["height"]] == shown


def test_what_is_sent_is_the_photo_and_the_details_without_the_files_name(visit: Begin) -> None:
    begun = visit()
    page = begun.page
    page.add_init_script("""
        XMLHttpRequest.prototype.send = function (body) {
            window.sent = [...body].map(([name, value]) => [name, value instanceof File ? value.name : value]);
        };
    """)
    begun.open()
    page.set_input_files("#file", [photo_file(skin_photo(), "Jane Doe.jpg")])
    page.fill("[name=age]", "54")
    page.select_option("[name=body_site]", "arm")
    page.fill("[name=pixels_per_mm]", "12.5")
    page.click("#analyse")
    sent = dict(page.evaluate("window.sent"))
    assert sent == {"image": "view-1", "age": "54", "body_site": "arm", "pixels_per_mm": "12.5"}


def test_a_photo_is_released_when_it_is_taken_out(visit: Begin) -> None:
    begun = visit()
    begun.page.add_init_script("""
        window.open_urls = new Set();
        const [make, revoke] = [URL.createObjectURL, URL.revokeObjectURL];
        URL.createObjectURL = (file) => { const url = make.call(URL, file); window.open_urls.add(url); return url; };
        URL.revokeObjectURL = (url) => { window.open_urls.delete(url); revoke.call(URL, url); };
    """)
    begun.open().choose(skin_photo())
    held(begun.page, 1)
    begun.analyse()
    held(begun.page, 2)
    begun.analyse()
    held(begun.page, 2)
    begun.page.get_by_role("button", name="Remove photo 1").click()
    held(begun.page, 1)


def held(page: Page, count: int) -> None:
    assert page.evaluate("window.open_urls.size") == count


def test_overlays_are_asked_for_and_can_be_drawn_one_by_one(visit: Begin, screenshots: Path) -> None:
    begun = visit().open().choose(skin_photo())
    begun.analyse()
    page = begun.page
    with page.expect_response("**/api/analyze/skin", timeout=180_000) as explained:  # many runs of both models
        page.get_by_role("button", name="Show skin, pigment").click()
    overlays = {one["name"]: one for one in explained.value.json()["overlays"]}
    layer = page.locator(".frame img.layer")
    expect(layer).to_have_count(len(overlays))
    expect(layer.filter(visible=True)).to_have_count(0)
    page.get_by_role("checkbox", name="Melanin").check()
    expect(layer.filter(visible=True)).to_have_count(1)
    page.get_by_role("checkbox", name="Where the search looked").check()
    expect(layer.filter(visible=True)).to_have_count(2)
    assert all(page.evaluate("[...document.querySelectorAll('.layer')].map((image) => image.naturalWidth > 0)"))
    score = overlays["similar_cases"]["deletion_score"]
    expect(page.locator(".toggles [role=status]")).to_contain_text(f"{score:.3f}".replace("-", "−"))
    page.screenshot(path=screenshots / "overlays.png", full_page=True)


def with_a_card(answer: dict[str, Any]) -> None:
    measured = {"ita_deg": 12.5, "ita_uncertainty_deg": 4.0, "ita_category": "tan"}
    monk, fitzpatrick = (
        {"monk_estimate": 3, "monk_range": [2, 4]},
        {"fitzpatrick_estimate": 2, "fitzpatrick_range": [1, 3]},
    )
    answer["skin"]["tone"] |= {"reference": "grey_card", **measured, **monk, **fitzpatrick}


def test_a_tone_that_was_measured_with_a_card_is_drawn_with_its_ranges(visit: Begin) -> None:
    begun = visit().open().choose(skin_photo())
    begun.page.route("**/api/analyze/skin", edited(with_a_card))
    begun.analyse()
    expect(begun.page.locator(".tone")).to_contain_text("measured with the grey card")
    expect(begun.page.locator(".monk:not(.groups) .within")).to_have_text(["2", "3", "4"])
    expect(begun.page.locator(".tone")).to_contain_text("(2–4)")
    expect(begun.page.locator(".tone")).to_contain_text("(I–III)")
    expect(begun.page.locator(".tone")).to_contain_text("12.5° ± 4.00°")
    expect(begun.page.locator(".ita-range")).to_have_count(1)
