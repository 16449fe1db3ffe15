"""docs/validity.md: made of the catalogue and the files of facts, and up to date."""

from __future__ import annotations

from ml.skin.catalogue import CATALOGUE
from research.validity import ANSWERS, PAGE, REPOSITORY, page


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
            assert (REPOSITORY / "docs" / answer.card).is_file()


def test_too_few_pairs_of_a_type_have_no_share() -> None:
    lines = page().split("## Measures by recorded Fitzpatrick type")[1].split("## Models")[0].splitlines()
    rows = [line for line in lines if line.startswith("| `")]
    assert rows
    for row in rows:
        assert "too few" in row
