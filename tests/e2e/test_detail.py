"""What an answer holds in each detail, and how large it is."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.server import Server, skin_photo
from tests.e2e.test_analysis import portrait

PHOTOS = {"portrait": portrait(), "skin": skin_photo(seed=2)}


def numbers_and_nulls(value: Any) -> Iterator[float | None]:
    if value is None or isinstance(value, float):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from numbers_and_nulls(one)


@pytest.mark.parametrize("photo", PHOTOS)
def test_answers_are_as_small_as_promised(server: Server, photo: str) -> None:
    sizes = {}
    for detail in ("summary", "standard"):
        body = server.post(files={"image": PHOTOS[photo]}, data={"detail": detail}).content
        sizes[detail] = (len(body), len(gzip.compress(body)))
    assert sizes["summary"][0] <= 2000
    assert sizes["standard"][0] <= 8000
    assert sizes["standard"][1] <= 2500 or photo != "portrait"


def test_a_standard_answer_is_a_full_one_with_less(server: Server) -> None:
    standard, full = (
        server.post(files={"image": PHOTOS["portrait"]}, data={"detail": detail}).json()
        for detail in ("standard", "full")
    )
    assert set(standard) < set(full)
    assert max(len(repr(number)) for number in numbers_and_nulls(standard)) <= 7
    assert None not in numbers_and_nulls(standard)
    exact = [case["similarity"] for case in full["similar_cases"]]
    assert [case["similarity"] for case in standard["similar_cases"]] == [round(one, 3) for one in exact]
