from __future__ import annotations

import pytest

from ml.models.sites import BODY_SITES, CANONICAL_SITES, canonical


@pytest.mark.parametrize(
    ("word", "site"),
    [
        ("arm", "arm"),
        ("Back of Hand", "arm"),
        ("back_of_hand", "arm"),
        ("HEAD/NECK", "head-or-neck"),
        ("head_or_neck", "head-or-neck"),
        ("  face ", "head-or-neck"),
        ("foot_top_or_side", "leg-or-genital"),
        ("genitalia_or_groin", "leg-or-genital"),
        ("torso front", "trunk"),
        ("lower-extremity", "leg-or-genital"),
        ("other", "unknown"),
    ],
)
def test_clients_words_for_a_site(word: str, site: str) -> None:
    assert canonical(word) == site


@pytest.mark.parametrize("word", ["", "moon", "arm leg", "0", "arm;drop"])
def test_a_word_that_names_no_site(word: str) -> None:
    assert canonical(word) is None


def test_every_word_leads_to_a_site_that_the_model_knows() -> None:
    assert set(BODY_SITES.values()) == set(CANONICAL_SITES)
    assert all(canonical(word) == site for word, site in BODY_SITES.items())


def test_the_datasets_own_words_are_known() -> None:
    """SCIN's body part columns, which clients copy."""
    words = "head_or_neck arm palm back_of_hand torso_front torso_back genitalia_or_groin buttocks leg foot_top_or_side"
    assert all(canonical(word) for word in [*words.split(), "foot_sole", "other"])
