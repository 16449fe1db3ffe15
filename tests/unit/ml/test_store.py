"""Models on disk: whole and verified, or not there; every refusal is one line that names the file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ml.errors import ArtifactError
from ml.models import store as store_module
from ml.models.golden import golden_image
from ml.models.registry import DERM_FOUNDATION, EFFICIENTNET_LITE0
from ml.models.spec import ModelSpec, Source
from ml.models.store import ModelStore
from ml.values import RGB

WEIGHTS = b"weights of a model"
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()


def convert(spec: ModelSpec, folder: Path, image: RGB) -> np.ndarray:
    """A recipe: what is served is the source file in capitals, the golden answer is the image's mean colour."""
    (source,) = (folder / "source").iterdir()
    (folder / spec.served).write_bytes(source.read_bytes().upper())
    return image.mean(axis=(0, 1))


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    folder = tmp_path / "origin"
    (folder / "package").mkdir(parents=True)
    (folder / "package" / "weights.bin").write_bytes(WEIGHTS)
    return folder


@pytest.fixture
def spec(origin: Path, monkeypatch: pytest.MonkeyPatch) -> ModelSpec:
    monkeypatch.setattr(store_module, "framework_of", lambda spec: SimpleNamespace(export=convert))
    source = Source(uri=str(origin), files={"package/weights.bin": DIGEST})
    return replace(EFFICIENTNET_LITE0, name="tiny", version="1", recipe="capitals", served="model.bin", source=source)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def one_line(caught: pytest.ExceptionInfo[ArtifactError]) -> str:
    assert "\n" not in caught.value.message
    return caught.value.message


def entries(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_fetched_model_is_converted_recorded_and_verified(store: ModelStore, spec: ModelSpec) -> None:
    assert store.fetch(spec) is True
    assert store.served(spec).read_bytes() == WEIGHTS.upper()
    assert entries(store.root) == [
        "tiny",
        "tiny/1",
        "tiny/1/manifest.json",
        "tiny/1/model.bin",
        "tiny/1/source",
        "tiny/1/source/weights.bin",
    ]
    manifest = store.verify(spec)
    assert manifest.files == {"model.bin": hashlib.sha256(WEIGHTS.upper()).hexdigest(), "source/weights.bin": DIGEST}
    assert manifest.fingerprint == spec.fingerprint({"any": DIGEST})
    assert (manifest.name, manifest.version, manifest.licence) == ("tiny", "1", spec.licence)
    assert manifest.golden == pytest.approx(golden_image().mean(axis=(0, 1)))


def test_a_verified_copy_is_not_fetched_again(store: ModelStore, spec: ModelSpec, origin: Path) -> None:
    store.fetch(spec)
    (origin / "package" / "weights.bin").unlink()
    assert store.fetch(spec) is False
    with pytest.raises(ArtifactError, match=r"weights\.bin is not in"):
        store.fetch(spec, force=True)
    assert store.verify(spec)


def test_a_damaged_copy_is_fetched_again(store: ModelStore, spec: ModelSpec) -> None:
    store.fetch(spec)
    store.served(spec).write_bytes(b"damaged")
    assert store.fetch(spec) is True
    assert store.served(spec).read_bytes() == WEIGHTS.upper()


def test_a_source_that_changed_is_refused_and_nothing_is_kept(store: ModelStore, spec: ModelSpec, origin: Path) -> None:
    (origin / "package" / "weights.bin").write_bytes(b"other weights")
    with pytest.raises(ArtifactError) as caught:
        store.fetch(spec)
    assert "package/weights.bin" in one_line(caught)
    assert DIGEST[:12] in caught.value.message
    assert entries(store.root) == ["tiny"]


def test_a_failed_fetch_leaves_the_old_copy(store: ModelStore, spec: ModelSpec, origin: Path) -> None:
    store.fetch(spec)
    (origin / "package" / "weights.bin").write_bytes(b"other weights")
    with pytest.raises(ArtifactError):
        store.fetch(spec, force=True)
    assert store.verify(spec)
    assert sorted(path.name for path in store.folder(spec).parent.iterdir()) == ["1"]


def test_files_that_cannot_be_converted_are_refused_in_one_line(
    store: ModelStore, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise KeyError("conv1.weight")

    monkeypatch.setattr(store_module, "framework_of", lambda spec: SimpleNamespace(export=fails))
    with pytest.raises(ArtifactError, match="cannot be converted: KeyError") as caught:
        store.fetch(spec)
    assert isinstance(caught.value.__cause__, KeyError)
    assert entries(store.root) == ["tiny"]


def test_a_mirror_holds_the_bare_files_and_the_pins_still_hold(
    store: ModelStore, spec: ModelSpec, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "weights.bin").write_bytes(WEIGHTS)
    assert store.fetch(spec, str(mirror)) is True
    assert store.manifest(spec).source == str(mirror)
    (mirror / "weights.bin").write_bytes(b"forged")
    with pytest.raises(ArtifactError, match=r"weights\.bin"):
        store.fetch(spec, str(mirror), force=True)


def test_a_source_that_is_not_there(store: ModelStore, spec: ModelSpec, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"tiny could not be fetched: The folder .*nowhere does not exist"):
        store.fetch(spec, str(tmp_path / "nowhere"))


@pytest.mark.parametrize("name", ["model.bin", "source/weights.bin"])
@pytest.mark.parametrize("damage", ["altered", "shortened", "missing"])
def test_verify_names_the_file_that_is_wrong(store: ModelStore, spec: ModelSpec, name: str, damage: str) -> None:
    store.fetch(spec)
    path = store.folder(spec) / name
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(content[:-1] if damage == "shortened" else bytes([content[0] ^ 1]) + content[1:])
    with pytest.raises(ArtifactError) as caught:
        store.verify(spec)
    message = one_line(caught)
    assert str(path) in message
    assert ("is missing" if damage == "missing" else "does not match its sha256") in message
    assert "python -m ml fetch tiny --force" in message


def test_what_was_only_converted_from_may_be_gone_when_serving(store: ModelStore, spec: ModelSpec) -> None:
    store.fetch(spec)
    (store.folder(spec) / "source" / "weights.bin").unlink()
    assert store.verify(spec, sources=False)
    with pytest.raises(ArtifactError):
        store.verify(spec)


def test_a_model_that_was_not_fetched(store: ModelStore, spec: ModelSpec) -> None:
    with pytest.raises(ArtifactError, match=r"is not in .*Fetch it: python -m ml fetch tiny"):
        store.verify(spec)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": "tiny"}', "\udcff"])
def test_a_damaged_manifest_is_named(store: ModelStore, spec: ModelSpec, text: str) -> None:
    store.fetch(spec)
    path = store.folder(spec) / "manifest.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ArtifactError, match="is damaged") as caught:
        store.manifest(spec)
    assert str(path) in one_line(caught)


def test_a_model_of_another_pin_is_refused(store: ModelStore, spec: ModelSpec) -> None:
    """An update of the project that pins other weights does not serve the old ones under the new name."""
    store.fetch(spec)
    updated = replace(spec, source=replace(spec.source, files={"package/weights.bin": "0" * 64}))
    with pytest.raises(ArtifactError, match=r"source/weights\.bin of tiny is not the pinned file"):
        store.verify(updated)


def test_a_model_that_may_not_be_redistributed_names_its_licence_and_the_way(store: ModelStore) -> None:
    with pytest.raises(ArtifactError, match=r"Health AI Developer Foundations.*--source FOLDER"):
        store.fetch(DERM_FOUNDATION)


def test_a_model_without_recipe_is_kept_as_it_is(store: ModelStore, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    for name in DERM_FOUNDATION.needed:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    store.fetch(DERM_FOUNDATION, str(folder))
    manifest = store.verify(DERM_FOUNDATION)
    assert set(manifest.files) == {f"saved_model/{name}" for name in DERM_FOUNDATION.needed}
    assert manifest.golden is None
    recorded = json.loads((store.folder(DERM_FOUNDATION) / "manifest.json").read_text())
    assert recorded["fingerprint"] == DERM_FOUNDATION.fingerprint(manifest.files)
    (folder / "variables/variables.index").unlink()
    with pytest.raises(ArtifactError, match=r"variables/variables\.index is not in"):
        store.fetch(DERM_FOUNDATION, str(folder), force=True)
