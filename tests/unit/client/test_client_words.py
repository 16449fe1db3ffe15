"""The client has words for every code of the service."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from dermserve import table
from dermserve.calls import AnalysisFields

from ml.analysis.routing import MODALITIES
from web.errors import RequestError
from web.requests import parse


def test_every_kind_that_may_be_stated_can_be_chosen() -> None:
    assert set(table.KINDS) == set(MODALITIES)


@pytest.mark.parametrize("field", ["sex", "modality", "reference", "detail"])
def test_an_editor_offers_the_words_that_the_service_accepts(field: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse(io.BytesIO(b"\xff\xd8\xff a photo"), "image/jpeg", {field: "no such word"})
    assert set(_words(get_type_hints(AnalysisFields)[field])) == set(caught.value.details["allowed"])


def _words(hint: Any) -> Iterator[str]:
    if get_origin(hint) is Literal:
        yield from get_args(hint)
    else:
        for part in get_args(hint):
            yield from _words(part)
