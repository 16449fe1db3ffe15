"""The summary in the language that the client asks for."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from babel.messages.pofile import read_po
from flask.testing import FlaskClient

from ml.analysis.messages import DIFFERENCES, GRADES, TEXTS, ZONES, Clause, Listed, Message
from ml.imaging.colour import HDR, UNKNOWN_COLOURS
from ml.imaging.integrity import SLIGHTLY_DAMAGED
from ml.skin.quality import PROBLEMS
from ml.skin.tone import CATEGORIES, DARKEST
from scin.conditions import explanations
from web.language import FOLDER, LANGUAGES, Language

ANALYZE = "/api/analyze/skin"
OTHERS = [code for code in LANGUAGES if code != "en"]
_PLACEHOLDER = re.compile(r"{(\w+)}")


def english_texts() -> list[str | tuple[str, str]]:
    """Everything that a summary may say."""
    sentences = [text for texts in TEXTS.values() for text in texts.values() if text != "{problem}"]
    pairs = [*DIFFERENCES.values(), *GRADES.values()]
    words = [*ZONES.values(), *(word for pair in pairs for word in pair)]
    tones = [*(name for _, name in CATEGORIES), DARKEST]
    names = dict.fromkeys(one.lay_name for one in explanations().values())
    problems = [*PROBLEMS, SLIGHTLY_DAMAGED, UNKNOWN_COLOURS, HDR]
    return [*sentences, *words, *tones, *(text for one in problems for text in (one.message, one.advice)), *names]


@pytest.mark.parametrize("code", OTHERS)
def test_every_text_is_translated_with_the_same_placeholders(code: str) -> None:
    with (FOLDER / f"{code}.po").open("rb") as file:
        catalogue = read_po(file, locale=code, abort_invalid=True)
    for text in english_texts():
        found = catalogue.get(text)
        assert found is not None, text
        assert found.string, text
        forms = list(zip(text, found.string, strict=True)) if isinstance(text, tuple) else [(text, found.string)]
        for form, translated in forms:
            assert sorted(_PLACEHOLDER.findall(translated)) == sorted(_PLACEHOLDER.findall(form))


@pytest.mark.parametrize("code", OTHERS)
def test_no_translation_has_lost_its_text(code: str) -> None:
    with (FOLDER / f"{code}.po").open("rb") as file:
        ids = [message.id for message in read_po(file, locale=code) if message.id]
    known = {text if isinstance(text, str) else text[0] for text in english_texts()}
    assert [one for one in ids if (one if isinstance(one, str) else one[0]) not in known] == []


def test_numbers_lists_and_forms_are_those_of_the_language() -> None:
    english, spanish = Language("en"), Language("es")
    size = Message("diameter", {"millimetres": 6.2, "spread": 0.8})
    assert "6.2 mm" in english.render(size, TEXTS["findings"])
    assert "6,2 mm" in spanish.render(size, TEXTS["findings"])
    colour = Message("colour", {"differences": Listed(("darker", "redder"))})
    assert english.render(colour, TEXTS["findings"]) == "It is darker and redder than the skin around it."
    assert spanish.render(colour, TEXTS["findings"]) == "Es más oscura y más roja que la piel de alrededor."
    count = {"number": 1, "fewest": 0, "most": 2}
    assert "One small round spot" in english.render(Message("spot_count", count), TEXTS["findings"])
    assert "unos 3" in spanish.render(Message("spot_count", {**count, "number": 3}), TEXTS["findings"])


def test_an_advice_becomes_a_part_of_its_sentence() -> None:
    advice = Message("retake", {"advice": Clause("Hold still and tap to focus.")})
    assert Language().render(advice, TEXTS["next_step"]) == (
        "For a better answer, take the photo again: hold still and tap to focus."
    )


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (None, "en"),
        ("es", "es"),
        ("es-MX,es;q=0.9,en;q=0.5", "es"),
        ("fr, en;q=0.5", "en"),
        ("de", "en"),
        ("*", "en"),
        ("en, es;q=0.9", "en"),
        ("!!;q=x,,", "en"),
    ],
)
def test_the_answer_is_in_the_language_that_was_asked_for(
    client: FlaskClient, jpeg: bytes, asked: str | None, given: str
) -> None:
    headers = {"Accept-Language": asked} if asked else {}
    response = client.post(ANALYZE, data={"image": (io.BytesIO(jpeg), "skin.jpg")}, headers=headers)
    answer: dict[str, Any] = response.get_json()
    assert answer["language"] == given
    assert response.headers["Content-Language"] == given
    assert "Accept-Language" in response.headers["Vary"]


def test_both_languages_have_the_same_codes(client: FlaskClient, jpeg: bytes) -> None:
    def summary(language: str) -> dict[str, Any]:
        data = {"image": (io.BytesIO(jpeg), "skin.jpg")}
        answer = client.post(ANALYZE, data=data, headers={"Accept-Language": language}).get_json()
        found: dict[str, Any] = answer["summary"]
        return found

    english, spanish = summary("en"), summary("es")
    assert english["headline"] != spanish["headline"]
    for field in ("headline_code", "next_step_code", "certainty"):
        assert english[field] == spanish[field]
    assert [one["code"] for one in english["findings"]] == [one["code"] for one in spanish["findings"]]
