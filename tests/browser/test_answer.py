"""The answer to a photo: the summary first, then what it is based on."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.visit import Visit, edited
from tests.decision_reasons import REASONS
from tests.e2e.server import ANALYZE, Server, skin_photo

Begin = Callable[..., Visit]
PHONE = {"viewport": {"width": 360, "height": 780}, "is_mobile": True, "has_touch": True}
ROUTE = f"**{ANALYZE}"


def changed(visit: Begin, canned: Server, change: Callable[[dict[str, Any]], None]) -> Visit:
    """A visit that got a canned answer with a change, with everything open."""
    begun = visit(canned).open().choose(skin_photo())
    begun.page.route(ROUTE, edited(change))
    begun.analyse()
    return begun.open_all()


def longest(answer: dict[str, Any]) -> None:
    """The longest sentences that summaries have."""
    answer["summary"] |= {
        "headline": "This spot looks most like Squamous cell carcinoma or Seborrheic keratosis, but a photo cannot "
        "rule out skin cancer.",
        "next_step": "Take the photo again (hold still and tap to focus), and show the skin to a doctor if anything on "
        "it grows, changes, bleeds, does not heal or worries you.",
    }


def test_the_headline_and_the_next_step_need_no_scrolling_on_a_phone(
    visit: Begin, canned: Server, screenshots: Path
) -> None:
    begun = visit(canned, **PHONE).open().choose(skin_photo())
    begun.page.route(ROUTE, edited(longest))
    begun.page.mouse.wheel(0, 400)
    begun.analyse()
    for part in ("#headline", "#next-step"):
        expect(begun.page.locator(part)).to_be_in_viewport(ratio=1)
    expect(begun.page.locator("#headline")).to_be_focused()
    assert begun.page.evaluate("window.scrollY") == 0
    begun.page.screenshot(path=screenshots / "phone-summary.png")


def test_a_face_is_shown_with_its_zones(visit: Begin, portrait: bytes, screenshots: Path) -> None:
    page = (begun := visit().open().choose(portrait)).page
    answer = begun.analyse()
    assert len(answer["skin"]["zones"]) >= 5
    drawn = page.locator(".photo .layer").filter(visible=True)
    expect(drawn).to_have_count(1)
    begun.load_pictures()
    page.screenshot(path=screenshots / "face.png", full_page=True)
    page.get_by_role("checkbox", name="Face zones").uncheck()
    expect(drawn).to_have_count(0)
    begun.open_all()
    expect(page.locator(".answer .matrix")).to_contain_text("Nose")


def test_a_chosen_zone_is_shown_on_the_photo(visit: Begin, canned: Server) -> None:
    page = (begun := visit(canned).open().choose(skin_photo())).page
    begun.analyse()
    begun.open_all()
    polygon = page.locator(".photo .zones-drawing polygon")
    name = polygon.first.get_attribute("data-zone")
    page.locator(".matrix button").first.click()
    expect(page.locator(".photo polygon.chosen")).to_have_attribute("data-zone", str(name))
    page.get_by_role("checkbox", name="Face zones").uncheck()
    expect(page.locator(".photo .zones-drawing")).to_be_hidden()


#: the field that a finding is based on → what its card shows when it is open
BASES = {
    "skin.measurements.evenness": "Higher means: less even",
    "skin.tone.ita_category": "A canned answer.",
    "lesion.sums.cancer": "Example lesion A",
    "decision.set": "Most like one of these",
    "quality.problems.example": "An example of advice.",
    "modality": "From the picture alone",
}


def test_each_finding_opens_to_what_it_is_based_on(visit: Begin, canned: Server) -> None:
    def change(answer: dict[str, Any]) -> None:
        one = {"code": "colour", "certainty": "likely"}
        answer["summary"]["findings"] = [one | {"text": f"It is {basis}.", "basis": basis} for basis in BASES]

    begun = visit(canned).open().choose(skin_photo())
    begun.page.route(ROUTE, edited(change))
    with begun.page.expect_response(ROUTE):
        begun.page.click("#analyse")
    cards = begun.page.locator(".finding")
    expect(cards).to_have_count(len(BASES))
    for card, shown in zip(cards.all(), BASES.values(), strict=True):
        expect(card.get_by_text(shown).first).to_be_hidden()
        card.locator("summary").first.click()
        expect(card.get_by_text(shown).first).to_be_visible()
    # what a finding shows stands only there
    expect(begun.page.locator(".rest .fold > summary", has_text="lesion model")).to_have_count(0)


def test_generated_cases_are_folded_and_marked(visit: Begin, screenshots: Path) -> None:
    page = (begun := visit().open().choose(skin_photo())).page
    answer = begun.analyse()
    similar = page.locator(".similar")
    expect(similar).to_contain_text("Generated")
    expect(similar.locator(".cases")).to_be_hidden()
    similar.locator("summary").first.click()
    cases = similar.locator(".case:not(.own)")
    expect(cases).to_have_count(len(answer["similar_cases"]))
    assert cases.get_by_text("Generated").count() == len(answer["similar_cases"])
    begun.open_all().load_pictures()
    assert all(page.locator(".case img").evaluate_all("(images) => images.map((image) => image.naturalWidth > 0)"))
    expect(page.locator(".attribution")).to_contain_text(next(iter(answer["attribution"].values())))
    page.screenshot(path=screenshots / "close-up-open.png", full_page=True)


def test_the_page_speaks_of_no_interface(visit: Begin, canned: Server) -> None:
    begun = visit(canned).open().choose(skin_photo())
    words = [begun.words()]
    begun.analyse()
    words.append(begun.open_all().words())
    assert not [text for text in words if re.search(r"\bAPI\b", text)]


def test_the_lesion_part_begins_with_its_caveat_and_gives_no_verdict(visit: Begin) -> None:
    begun = visit().open().choose(skin_photo()).open_all()
    begun.page.select_option("[name=modality]", "dermatoscopic")
    lesion = begun.analyse()["lesion"]
    text = begun.open_all().page.locator(".answer").inner_text()
    assert text.index(lesion["caveat"]) < text.index(f"{lesion['predictions'][0]['name']}\n")
    assert "Neither a low number nor a high one is a finding" in text
    bars = begun.page.locator(".answer .bars:not(.small) .bar-fill")
    colours = bars.evaluate_all("(bars) => bars.map((bar) => getComputedStyle(bar).backgroundColor)")
    assert len(set(colours)) == 1


def test_a_class_of_lesion_has_an_everyday_name_and_opens_to_what_it_is(visit: Begin) -> None:
    begun = visit().open().choose(skin_photo()).open_all()
    begun.page.select_option("[name=modality]", "dermatoscopic")
    first = begun.analyse()["lesion"]["predictions"][0]
    begun.page.locator(".fold > summary", has_text="lesion model").or_(
        begun.page.locator(".finding summary")
    ).first.click()
    shown = begun.page.locator(".answer .condition").first
    expect(shown).to_contain_text(first["lay_name"])
    shown.locator("summary").click()
    (listed,) = (one for name, one in begun.listed("conditions").items() if name.lower() == first["name"].lower())
    expect(shown).to_contain_text(listed["about"])
    expect(shown.get_by_role("link")).to_have_attribute("href", first["link"])


def test_a_lesion_model_that_names_no_class_says_so(visit: Begin, canned: Server) -> None:
    none = {"predictions": [], "sums": [], "malignant_probability": None}
    decision = {"kind": "none_of_these", "set": [], "coverage": None}
    begun = changed(visit, canned, lambda answer: answer["lesion"].update(none, decision=decision))
    expect(begun.page.locator(".answer").get_by_text("None of its classes is named.")).to_be_visible()


def test_the_possible_lesion_classes_and_the_sums_are_named(visit: Begin, canned: Server) -> None:
    begun = changed(visit, canned, lambda answer: None)
    answer = begun.page.locator(".answer")
    expect(answer.locator("p.possible")).to_contain_text(
        "Possible classes: Example lesion A, Example lesion B. For 90\u00a0%"
    )
    expect(answer.get_by_text("Cancer, together: Example lesion B")).to_be_visible()


@pytest.mark.parametrize(
    ("one", "shown", "unit"),
    [
        ({"unit": "share", "value": 0.044, "uncertainty": 0.086}, "4.4 ± 8.6", "\u00a0%"),
        ({"unit": "spots", "value": 5.0, "uncertainty": 3.99}, "5 ± 4", ""),
        ({"unit": "index", "value": -0.2, "uncertainty": 13.0}, "0 ± 13", ""),
        ({"unit": "a*", "value": -1.26, "uncertainty": 3.4}, "−1.3 ± 3.4", "\u00a0a*"),
        ({"unit": "1", "value": 0.43, "uncertainty": None}, "0.430", ""),
        ({"unit": "°", "value": 0.43, "uncertainty": None}, "0.430", "°"),
        ({"unit": "share of skin", "value": 0.43, "uncertainty": None}, "43", "\u00a0%"),
    ],
)
def test_a_value_is_shown_with_its_uncertainty_and_its_unit_once(
    visit: Begin, canned: Server, one: dict[str, Any], shown: str, unit: str
) -> None:
    def change(answer: dict[str, Any]) -> None:
        for measured in (answer["skin"], *answer["skin"]["zones"]):
            measured["measurements"] = [measured["measurements"][0] | one]

    begun = changed(visit, canned, change)
    expect(begun.page.locator(".answer .measures tbody td").first).to_have_text(f"{shown}{unit}")
    expect(begun.page.locator(".answer .matrix tbody td")).to_have_text(shown)


def test_a_photo_on_which_nothing_was_measured_gets_one_sentence(visit: Begin, canned: Server) -> None:
    def change(answer: dict[str, Any]) -> None:
        for one in answer["skin"]["measurements"]:
            one["value"] = None

    begun = changed(visit, canned, change)
    expect(begun.page.locator(".technical")).to_contain_text("None of the measures could be taken on this photo.")


def test_every_reason_has_words(visit: Begin, canned: Server) -> None:
    begun = changed(visit, canned, lambda answer: answer["decision"].update(reasons=REASONS))
    shown = begun.page.locator(".answer .reasons li").all_inner_texts()
    assert len(shown) == len(REASONS) > 10
    assert not {text.lower() for text in shown} & {f"{code.replace('_', ' ')}." for code in REASONS}


def test_conditions_are_bars_with_one_set_of_numbers_and_lead_to_their_cases(visit: Begin, canned: Server) -> None:
    def calibrate(answer: dict[str, Any]) -> None:
        answer["conditions"][0] |= {"probability": 0.61, "calibrated_probability": 0.23, "band": "possible"}

    begun = changed(visit, canned, calibrate)
    first = begun.page.locator(".answer .voted").first
    expect(first).to_contain_text("23\u00a0%")
    expect(first).to_contain_text("possible")
    expect(first).not_to_contain_text("61")
    first.get_by_role("button", name="Case 1").click()
    expect(begun.page.locator(".case:focus")).to_have_attribute("data-case", "mock-1")
    expect(begun.page.locator(".answer")).to_contain_text("nothing here was measured on the photo")


def test_the_technical_part_is_the_answers_own(visit: Begin, portrait: bytes) -> None:
    page = (begun := visit().open().choose(portrait)).page
    answer = begun.analyse()
    expect(page.locator(".technical table").first).to_be_hidden()
    begun.open_all()
    tone = answer["skin"]["tone"]
    expect(page.locator(".answer .groups .estimate")).to_have_text(tone["group"])
    expect(page.locator(".technical tr", has_text="Evenness")).to_contain_text(
        begun.listed("measures")["evenness"]["method"]
    )
    for model in answer["models"]:
        expect(page.locator(".technical")).to_contain_text(f"{model['name']} {model['version']}")
    expect(page.locator(".raw pre")).to_contain_text(answer["analysis_id"])


def test_a_turned_photo_is_upright_under_what_is_drawn_on_it(visit: Begin) -> None:
    image = Image.open(io.BytesIO(skin_photo(320, 240)))
    turned = image.getexif()
    turned[0x0112] = 6  # EXIF orientation: a quarter turn
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=turned)
    begun = visit().open().choose(buffer.getvalue())
    answer = begun.analyse()
    size = begun.page.locator(".photo .base").evaluate("(image) => [image.naturalWidth, image.naturalHeight]")
    assert size == [240, 320]
    assert [answer["image"]["width"], answer["image"]["height"]] == [240, 320]


def test_the_outline_comes_with_the_answer_and_the_maps_when_they_are_asked_for(
    visit: Begin, screenshots: Path
) -> None:
    begun = visit().open().choose(skin_photo())
    assert {one["name"] for one in begun.analyse()["overlays"]} <= {"skin_mask", "lesion"}
    page = begun.page
    with page.expect_response(ROUTE, timeout=180_000) as explained:  # many runs of both models
        page.get_by_role("button", name="Show also pigment").click()
    overlays = {one["name"]: one for one in explained.value.json()["overlays"]}
    layer = page.locator(".photo img.layer")
    expect(layer).to_have_count(len(overlays))
    before = layer.filter(visible=True).count()
    page.get_by_role("checkbox", name="Melanin").check()
    page.get_by_role("checkbox", name="Where the search looked").check()
    expect(layer.filter(visible=True)).to_have_count(before + 2)
    score = overlays["similar_cases"]["deletion_score"]
    expect(page.locator(".toggles [role=status]")).to_contain_text(f"{score:.3f}".replace("-", "−"))
    expect(page.get_by_role("button", name="Show also pigment")).to_have_count(0)
    page.screenshot(path=screenshots / "overlays.png", full_page=True)


def with_a_card(answer: dict[str, Any]) -> None:
    answer["skin"]["tone"] |= {
        "reference": "grey_card",
        "ita_deg": 12.5,
        "ita_uncertainty_deg": 4.0,
        "ita_category": "tan",
        "monk_estimate": 3,
        "monk_range": [2, 4],
        "fitzpatrick_estimate": 2,
        "fitzpatrick_range": [1, 3],
    }


def test_a_tone_that_was_measured_with_a_card_is_drawn_with_its_ranges(visit: Begin, canned: Server) -> None:
    answer = changed(visit, canned, with_a_card).page.locator(".answer")
    expect(answer).to_contain_text("measured with the grey card")
    expect(answer.locator(".monk:not(.groups) .within")).to_have_text(["2", "3", "4"])
    for text in ("(2–4)", "(I–III)", "12.5° ± 4.00°"):
        expect(answer).to_contain_text(text)
    expect(answer.locator(".ita-range")).to_have_count(1)


def test_a_spanish_browser_gets_a_spanish_summary_that_is_marked_as_such(visit: Begin, portrait: bytes) -> None:
    begun = visit(locale="es-ES").open().choose(portrait)
    assert begun.analyse()["language"] == "es"
    expect(begun.page.locator("#headline")).to_have_attribute("lang", "es")
