"""Files out of a wheel: pip brings it by exact version and hash. Here from a folder, so no network is used."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from storage import NotFoundError, StorageError, open_storage

FILES = {
    "weights_of_a_test/model.bin": b"weights",
    "weights_of_a_test/__init__.py": b"raise RuntimeError('wheels are never run')\n",
    "weights_of_a_test-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: weights-of-a-test\nVersion: 1.0\n"
    b"Requires-Dist: a-package-that-does-not-exist\nRequires-Python: >=99\n",
    "weights_of_a_test-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "weights_of_a_test-1.0.dist-info/RECORD": b"",
}


@pytest.fixture
def sha256(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The hash of a wheel that pip finds in a folder, and nowhere else."""
    wheel = tmp_path / "weights_of_a_test-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_files_are_taken_out_without_its_dependencies_or_its_code(sha256: str) -> None:
    store = open_storage(f"wheel:weights-of-a-test==1.0#sha256={sha256}")
    assert store.read("weights_of_a_test/model.bin") == b"weights"
    assert [(info.name, info.size) for info in store.list("weights_of_a_test/")] == [
        ("weights_of_a_test/__init__.py", 43),
        ("weights_of_a_test/model.bin", 7),
    ]
    with pytest.raises(NotFoundError, match=r"other\.bin is not in the wheel weights-of-a-test==1.0"):
        store.read("other.bin")


@pytest.mark.usefixtures("sha256")
def test_another_hash_is_refused() -> None:
    with pytest.raises(StorageError, match=r"pip could not download weights-of-a-test==1.0 with sha256 0{12}"):
        open_storage(f"wheel:weights-of-a-test==1.0#sha256={'0' * 64}").read("weights_of_a_test/model.bin")


def test_another_version_is_not_taken_instead(sha256: str) -> None:
    with pytest.raises(StorageError, match="Check the network and pip's index settings"):
        open_storage(f"wheel:weights-of-a-test==1.1#sha256={sha256}").read("weights_of_a_test/model.bin")


@pytest.mark.parametrize(
    "uri", ["wheel:name", "wheel:name==1.0", "wheel:name==1.0#sha256=abc", f"wheel:--index-url==1#sha256={'0' * 64}"]
)
def test_a_wheel_without_version_and_hash_is_refused(uri: str) -> None:
    with pytest.raises(StorageError, match="must have the form"):
        open_storage(uri)
