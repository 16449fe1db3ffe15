from __future__ import annotations

import json
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from ml.models.registry import EFFICIENTNET_LITE0, MEDIAPIPE_FACE, SKLESION
from scin.index.manifest import Manifest, Vote, write_manifest
from settings import Settings
from storage.base import sha256_file
from web import boot
from web.boot import BootError, check_boot, fetch_index


def write_model(models: Path, spec: Any) -> Path:
    """A model folder that is whole: one served file, the pinned source digests, a manifest."""
    folder = models / spec.name / spec.version
    folder.mkdir(parents=True)
    served = folder / "served.bin"
    served.write_bytes(spec.name.encode())
    pins = {spec.place(name): digest for name, digest in spec.source.files.items()}
    manifest = {
        "name": spec.name,
        "version": spec.version,
        "framework": spec.framework,
        "licence": spec.licence,
        "source": spec.source.uri,
        "fingerprint": f"fingerprint of {spec.name}",
        "fetched_at": "2026-01-01T00:00:00+00:00",
        "files": {**pins, "served.bin": sha256_file(served)},
        "golden": None,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return served


def write_index(folder: Path, **changes: Any) -> Path:
    folder.mkdir(parents=True)
    data = folder / "index.faiss"
    data.write_bytes(b"vectors")
    facts: dict[str, Any] = {
        "format": 1,
        "name": "sample",
        "dataset": "generated",
        "release": "1",
        "synthetic": True,
        "cases": 1,
        "images": 1,
        "vectors": 1,
        "skipped": {},
        "encoder": EFFICIENTNET_LITE0.name,
        "encoder_version": EFFICIENTNET_LITE0.version,
        "encoder_fingerprint": f"fingerprint of {EFFICIENTNET_LITE0.name}",
        "dimension": 512,
        "metric": "inner product",
        "transforms": (),
        "vote": Vote(),
        "licence": "none",
        "attribution": {},
        "built_at": "2026-01-01T00:00:00+00:00",
        "files": {"index.faiss": sha256_file(data)},
    }
    write_manifest(folder, Manifest(**{**facts, **changes}))
    return data


@pytest.fixture
def installation(tmp_path: Path) -> dict[str, Path]:
    """Models and index as a finished set-up leaves them; the files that a test may damage."""
    models = tmp_path / "models"
    return {
        "encoder": write_model(models, EFFICIENTNET_LITE0),
        "classifier": write_model(models, SKLESION),
        "index": write_index(tmp_path / "index" / "sample"),
    }


def settings(tmp_path: Path, **changes: Any) -> Settings:
    return Settings(**{"var": tmp_path, "faces": False, **changes})


def test_a_whole_installation_starts(installation: dict[str, Path], tmp_path: Path) -> None:
    check_boot(settings(tmp_path))


@pytest.mark.parametrize("part", ["encoder", "classifier", "index"])
def test_an_altered_file_stops_the_boot_and_is_named(part: str, installation: dict[str, Path], tmp_path: Path) -> None:
    installation[part].write_bytes(b"altered")
    with pytest.raises(BootError) as caught:
        check_boot(settings(tmp_path))
    assert str(installation[part]) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", ["encoder", "classifier", "index"])
def test_a_missing_part_stops_the_boot_with_what_to_run(
    part: str, installation: dict[str, Path], tmp_path: Path
) -> None:
    (installation[part].parent / "manifest.json").unlink()
    with pytest.raises(BootError, match=r"python -m (ml fetch|scin sample)"):
        check_boot(settings(tmp_path))


def test_an_engine_that_was_asked_for_by_name_must_be_usable(installation: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(BootError, match="was not compiled on this machine") as caught:
        check_boot(settings(tmp_path, engine="onnxruntime"))
    assert str(caught.value).startswith("DERMSERVE_ENGINE=onnxruntime: ")
    assert "python -m ml prepare efficientnet-lite0" in str(caught.value)
    assert "\n" not in str(caught.value)
    for fine in ("auto", "native"):
        check_boot(settings(tmp_path, engine=fine))


def test_faces_are_checked_when_they_are_on(installation: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(BootError, match=MEDIAPIPE_FACE.name):
        check_boot(settings(tmp_path, faces=True))


def test_a_dimension_that_the_encoder_has_not_stops_the_boot(installation: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(BootError, match=r"FAISS_DIMENSION=256.*has 512"):
        check_boot(settings(tmp_path, faiss_dimension=256))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dimension": 256}, "has 256 dimensions, but the encoder has 512"),
        ({"encoder_fingerprint": "x"}, "another encoder"),
    ],
)
def test_an_index_of_another_encoder_stops_the_boot(
    change: dict[str, Any], message: str, installation: dict[str, Path], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    write_index(other, **change)
    with pytest.raises(BootError, match=message):
        check_boot(settings(tmp_path, index=str(other)))


@pytest.mark.parametrize("change", [{"encoder": "none"}, {"classifier": "none"}, {"encoder": "sklesion"}])
def test_an_unknown_model_stops_the_boot(change: dict[str, str], installation: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(BootError, match="Known:"):
        check_boot(settings(tmp_path, **change))


@pytest.mark.parametrize("change", [{"ml_available": False}, {"use_mock_services": True, "flask_env": "testing"}])
def test_what_loads_no_model_checks_none(change: dict[str, Any], tmp_path: Path) -> None:
    check_boot(settings(tmp_path, **change))


@pytest.mark.parametrize("status", [0, 3, None])
def test_a_gpu_is_asked_for_in_another_process(
    status: int | None, installation: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        if status is None:
            raise subprocess.TimeoutExpired(command, 1)
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr(boot.subprocess, "run", run)
    chosen = settings(tmp_path, enable_gpu=True)
    if status == 0:
        check_boot(chosen)
        return
    with pytest.raises(BootError, match="ENABLE_GPU=true"):
        check_boot(chosen)


@pytest.mark.parametrize(
    ("index", "folder"), [("sample", "index/sample"), ("scin", "index/scin"), ("/data/other", "/data/other")]
)
def test_where_an_index_lies(index: str, folder: str, tmp_path: Path) -> None:
    assert settings(tmp_path, index=index).index_folder == tmp_path / folder


def test_each_remote_index_has_a_folder_of_its_own(tmp_path: Path) -> None:
    folders = {settings(tmp_path, index=uri).index_folder for uri in ("gs://a/i", "s3://a/i", "https://a/i")}
    assert len(folders) == 3
    assert all(folder.parent == tmp_path / "index" for folder in folders)


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index in a bucket, which here is a folder."""
    from storage.folder import FolderStorage

    source = tmp_path / "bucket"
    write_index(source)
    monkeypatch.setattr("web.boot.open_storage", lambda _: FolderStorage(str(source)))
    return source


def test_a_remote_index_is_brought_once(remote: Path, tmp_path: Path) -> None:
    chosen = settings(tmp_path, index="gs://bucket/index")
    folder = fetch_index(chosen)
    assert sorted(path.name for path in folder.iterdir()) == ["index.faiss", "manifest.json"]
    (remote / "manifest.json").unlink()
    assert fetch_index(chosen) == folder


def test_a_remote_index_that_does_not_arrive_whole_leaves_nothing(
    remote: Path, installation: dict[str, Path], tmp_path: Path
) -> None:
    (remote / "index.faiss").write_bytes(b"altered on the way")
    chosen = settings(tmp_path, index="gs://bucket/index")
    with pytest.raises(BootError, match="could not be fetched"):
        check_boot(chosen)
    assert not chosen.index_folder.exists()
    assert [path.name for path in (tmp_path / "index").iterdir()] == ["sample"]


def test_the_manifest_written_here_is_the_real_one(tmp_path: Path) -> None:
    from scin.index.manifest import read_manifest

    write_index(tmp_path / "i")
    assert asdict(read_manifest(tmp_path / "i"))["dimension"] == 512
