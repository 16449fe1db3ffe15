"""A trained encoder in a folder is found by its path; a damaged or foreign folder is refused in one line."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ml.errors import ArtifactError
from ml.models.registry import EFFICIENTNET_LITE0, SPECS, find
from ml.models.store import COMPILED, ModelStore
from ml.models.trained import is_folder, read_spec
from tests.unit.ml.trained_folders import write_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "mine")


def refused(path: Path) -> str:
    """The message of the error that a service with this encoder stops with."""
    with pytest.raises(ArtifactError) as caught:
        ModelStore(path.parent / "models").verify(find(str(path), "encoder"))
    assert "\n" not in caught.value.message
    return caught.value.message


def test_a_folder_is_found_by_its_path_and_verified_where_it_is(folder: Path) -> None:
    spec, store = find(str(folder), "encoder"), ModelStore(folder.parent / "models")
    assert (spec.name, spec.output_dim, spec.address) == ("mine", 512, str(folder))
    assert spec.preprocess == EFFICIENTNET_LITE0.preprocess
    assert store.folder(spec) == folder
    assert store.served(spec) == folder / "encoder.pt2"
    assert store.verify(spec).name == "mine"
    assert store.fetch(spec) is False
    assert spec.read_card() == "# mine\n"


def test_what_is_compiled_never_lies_in_the_folder(folder: Path) -> None:
    store = ModelStore(folder.parent / "models")
    assert store.compiled(find(str(folder))) == store.root / "mine" / "v1" / COMPILED
    assert store.compiled(EFFICIENTNET_LITE0) == store.folder(EFFICIENTNET_LITE0) / COMPILED


def test_a_copy_of_the_folder_is_the_same_encoder(folder: Path) -> None:
    copy = folder.with_name("index") / "encoder"
    shutil.copytree(folder, copy)
    store = ModelStore(folder.parent / "models")
    assert store.manifest(find(str(copy))).fingerprint == store.manifest(find(str(folder))).fingerprint


def test_a_relative_path_still_holds_in_another_working_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    spec = find("mine")
    monkeypatch.chdir("/")
    assert ModelStore(folder.parent / "models").verify(spec)
    assert find(spec.address) == spec


def test_a_known_name_is_not_taken_for_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / EFFICIENTNET_LITE0.name).mkdir()
    monkeypatch.chdir(tmp_path)
    assert find(EFFICIENTNET_LITE0.name) is EFFICIENTNET_LITE0
    assert not is_folder("nothing-here")


def state(**changed: object) -> Callable[[Path], object]:
    """Change what spec.json says."""

    def change(folder: Path) -> None:
        path = folder / "spec.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changed))

    return change


def record(**changed: object) -> Callable[[Path], object]:
    """Change what manifest.json says."""

    def change(folder: Path) -> None:
        path = folder / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changed))

    return change


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no spec": (lambda f: (f / "spec.json").unlink(), "has no spec.json: it is not the folder of a trained encoder"),
    "no folder": (shutil.rmtree, "does not exist. Give the folder of a trained encoder"),
    "empty spec": (lambda f: (f / "spec.json").write_text(""), "spec.json is damaged"),
    "binary spec": (lambda f: (f / "spec.json").write_bytes(b"\xff\x00"), "spec.json is damaged"),
    "a list": (lambda f: (f / "spec.json").write_text("[]"), "spec.json is damaged"),
    "a file outside": (state(served="../../secret.pt2"), "spec.json is damaged: served"),
    "an absolute file": (state(served="/etc/passwd"), "spec.json is damaged: served"),
    "a name that is a path": (state(name="../../mine"), "spec.json is damaged: name"),
    "a version that is a path": (state(version="../.."), "spec.json is damaged: version"),
    "a foreign recipe": (state(recipe="os.system"), "states a network that this version does not know"),
    "another framework's recipe": (state(recipe="keras-to-saved-model"), "states a network that this version"),
    "another format": (state(format="saved-model"), "spec.json is damaged: format"),
    "an unknown field": (state(home="/tmp"), "spec.json is damaged: home"),
    "a huge photo": (state(preprocess={"size": [10**6, 10**6]}), "spec.json is damaged: preprocess"),
    "the name of a known model": (state(name="efficientnet-lite0"), "has the name of another model"),
    "another preprocessing": (
        state(preprocess=dict(json.loads(json.dumps(vars(EFFICIENTNET_LITE0.preprocess))), fit="center_crop")),
        "belongs to another encoder than spec.json beside it",
    ),
    "another name": (state(name="yours"), "belongs to another encoder than spec.json"),
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "manifest.json is missing. Copy the whole folder"),
    "a damaged manifest": (lambda f: (f / "manifest.json").write_text("{"), "manifest.json is damaged"),
    "a manifest of files outside": (record(files={"../x": "0"}), "manifest.json is damaged"),
    "a manifest without digests": (record(files=["encoder.pt2"]), "manifest.json is damaged"),
    "other weights": (lambda f: (f / "encoder.pt2").write_bytes(b"other"), "does not match its sha256"),
    "no weights": (lambda f: (f / "encoder.pt2").unlink(), "encoder.pt2 is missing. Copy the whole folder"),
    "an altered card": (lambda f: (f / "card.md").write_text("It cures all."), "card.md does not match its sha256"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_folder_is_refused_in_one_line(folder: Path, what: str) -> None:
    break_it, message = BROKEN[what]
    break_it(folder)
    assert message in refused(folder)


def test_an_encoder_that_was_not_adopted_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text(json.dumps({"adopted": False, "verdict": "Training does not help."}))
    assert "was not adopted: Training does not help." in refused(tmp_path)


def test_a_folder_that_may_not_be_read(folder: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (folder / "spec.json").chmod(0)
    assert "cannot be read: Permission denied" in refused(folder)


def test_a_classifier_is_never_taken_from_a_folder(folder: Path) -> None:
    with pytest.raises(ArtifactError, match="There is no classifier called"):
        find(str(folder), "classifier")


def test_the_written_spec_is_read_as_it_was(folder: Path) -> None:
    spec = read_spec(folder, SPECS)
    assert spec.recipe == EFFICIENTNET_LITE0.recipe
    assert spec.home == folder
