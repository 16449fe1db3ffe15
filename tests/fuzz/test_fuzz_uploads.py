"""Spoiled uploads: each becomes a photo or a documented refusal, within two seconds of CPU and bounded memory.

A few hundred in each run of the tests, the same ones each time; `make fuzz-decoder` tries ten thousand new ones.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.guarded import Guarded
from tests.fuzz.mutations import mutated
from tests.fuzz.seeds import MADE, MULTIPART, bodies, dicom_parts, photos

EXAMPLES = int(os.environ.get("DERMSERVE_FUZZ_EXAMPLES", "300"))
LONG = "DERMSERVE_FUZZ_EXAMPLES" in os.environ
_KEEP_GOING = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


def examples(share: float) -> settings:
    """A share of all inputs. Those of the short form never change, so that it fails for a change of the code only."""
    return settings(
        max_examples=max(1, round(EXAMPLES * share)),
        deadline=None,
        derandomize=not LONG,
        database=None,
        suppress_health_check=_KEEP_GOING,
        print_blob=True,
    )


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    worker = Guarded()
    yield worker
    worker.close()
    if LONG:
        tried = sum(worker.outcomes.values())
        most = f"at most {worker.most_cpu_s:.2f} s of CPU, {worker.most_mib:.0f} MiB"
        print(f"\n{tried} inputs; {most}; {worker.outcomes}")  # noqa: T201 - what whoever runs the long form reads


def test_every_seed_is_understood(guarded: Guarded) -> None:
    """The files that are spoiled below are whole, or were already damaged in the field."""
    made = [guarded.check("decode", seed)["ended"] for seed in photos()[:MADE]]
    assert made == ["photo"] * MADE
    parsed = [guarded.check("parse", body, kind)["ended"] for kind, body in bodies()]
    assert parsed == ["photo"] * 6 + ["no photo"] + ["photo"] * 8


@examples(0.4)
@given(data=mutated(photos()))
def test_spoiled_photos(guarded: Guarded, data: bytes) -> None:
    guarded.check("decode", data)


@examples(0.2)
@given(
    data=st.sampled_from(range(len(dicom_parts()))).flatmap(
        lambda at: mutated([dicom_parts()[at][1]]).map(lambda data_set: dicom_parts()[at][0] + data_set)
    )
)
def test_spoiled_dicom_files(guarded: Guarded, data: bytes) -> None:
    guarded.check("decode", data)


@examples(0.3)
@given(
    body=st.sampled_from(range(len(bodies()))).flatmap(
        lambda at: st.tuples(st.just(bodies()[at][0]), mutated([bodies()[at][1]]))
    ),
    kind=st.none() | st.sampled_from([MULTIPART, "multipart/form-data", "image/png", "text/plain", ""]) | st.text(),
    piece=st.sampled_from([1, 7, 1000, 2**20]),
)
def test_spoiled_requests(guarded: Guarded, body: tuple[str, bytes], kind: str | None, piece: int) -> None:
    guarded.check("parse", body[1], body[0] if kind is None else kind, piece)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("/9j/4AAQSkZJRg=="),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
_PERSON = ("age", "sex", "gender", "body_site", "user_parameters", "user_demographics", "demographics")
_PHOTOS = ("image", "images", "image_data", "file")
_WISHES = ("k", "modality", "explain", "profile", "test")
_NAMES = st.sampled_from([*_PERSON, *_PHOTOS, *_WISHES])


@examples(0.1)
@given(fields=st.dictionaries(_NAMES, _VALUES))
def test_any_values_in_known_fields(guarded: Guarded, fields: dict[str, object]) -> None:
    guarded.check("parse", json.dumps(fields).encode(), "application/json")


@pytest.mark.parametrize(
    ("fault", "message"),
    [("raise", "ZeroDivisionError"), ("compute", "more than 2 s"), ("grow", "MiB"), ("die", "status -11")],
)
def test_what_must_not_happen_is_noticed(monkeypatch: pytest.MonkeyPatch, fault: str, message: str) -> None:
    """The tests above can fail: the same worker, with a decoder that misbehaves.

    The limit of memory is low here: a busy machine can take two seconds to hand out the pages of the real one.
    """
    monkeypatch.setenv("DERMSERVE_FUZZ_FAULT", fault)
    worker = Guarded(module="tests.fuzz.faulty_worker", memory_mib=50)
    try:
        with pytest.raises(AssertionError, match=message):
            worker.check("decode", b"x")
    finally:
        worker.close()
