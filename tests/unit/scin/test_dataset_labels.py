from __future__ import annotations

import pytest

from scin.dataset import Label


def label(weights: dict[str, float], conditions: tuple[str, ...] = (), dermatologists: int = 1) -> Label:
    return Label(conditions, weights, dermatologists)


@pytest.mark.parametrize(
    ("weights", "top"),
    [
        ({}, None),
        ({"Acne": 1.0}, "Acne"),
        ({"Acne": 0.3, "Eczema": 0.7}, "Eczema"),
        ({"Psoriasis": 0.41, "Acne": 0.41, "Eczema": 0.18}, "Psoriasis"),
    ],
)
def test_the_heaviest_condition_and_the_first_among_equals(weights: dict[str, float], top: str | None) -> None:
    assert label(weights).top == top


@pytest.mark.parametrize(
    ("conditions", "dermatologists", "agreement"),
    [
        (("Eczema", "Acne", "Eczema", "Eczema"), 3, 1.0),
        (("Eczema", "Acne", "Psoriasis"), 2, 0.5),
        (("Acne", "Psoriasis"), 3, 0.0),
        (("Eczema", "Eczema"), 1, 1.0),
        (("Eczema",), 0, None),
    ],
)
def test_agreement_is_the_share_of_dermatologists_who_list_the_top(
    conditions: tuple[str, ...], dermatologists: int, agreement: float | None
) -> None:
    assert label({"Eczema": 0.9, "Acne": 0.1}, conditions, dermatologists).agreement == agreement


def test_no_agreement_without_a_label() -> None:
    assert label({}, ("Eczema",), 2).agreement is None
