"""docs/validity.md: made of the catalogue and the files of facts, and up to date."""

from __future__ import annotations

from ml.skin.catalogue import CATALOGUE
from research.validity import ANSWERS, PAGE, REPOSITORY, figures_of, page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m research.validity"


def test_every_measure_and_every_model_is_on_the_page() -> None:
    text = page()
    for name, measure in CATALOGUE.items():
        for kind in measure.regions:
            assert f"| `{name}` | {kind} |" in text
    for answer in ANSWERS:
        assert answer.title in text
        if (REPOSITORY / answer.facts).exists():
            assert f"[{answer.title}]({answer.card})" in text


def test_too_few_pairs_of_a_type_have_no_share() -> None:
    lines = page().split("## Measures by recorded Fitzpatrick type")[1].split("## Models")[0].splitlines()
    rows = [line for line in lines if line.startswith("| `")]
    assert rows
    for row in rows:
        assert "too few" in row


def test_figures_are_read_in_each_form_that_fits_write() -> None:
    figure = {"value": 0.7, "interval": [0.6, 0.8], "n": 40, "data": "some", "command": "python -m a"}
    assert figures_of({"figures": {"accuracy": figure}}) == {"accuracy": figure}
    rows = [{"photos": "BCC", "n": 40, "iou": 0.7, "interval": [0.6, 0.8]}]
    (outline,) = figures_of({"figures": rows, "fitted": {"command": "python -m a"}}).values()
    assert outline.items() >= {"value": 0.7, "n": 40, "interval": [0.6, 0.8], "command": "python -m a"}.items()
    held = {"photos": 90, "coverage": {"share": 0.7, "interval": [0.6, 0.8], "persons": 40}, "sizes": 2.1}
    section = {"held_out": held, "data": "some", "command": "python -m a"}
    assert figures_of({"group": section, "angle": {"spread": 50}}) == {
        "range holds the group of another photo of the person": figure
    }
