"""Small bundles for tests: one package with a command, one model, one index."""

from __future__ import annotations

import gzip
import hashlib
import sys
import tarfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

from deploy.bundle.contents import DATA, PACKAGES, REQUIREMENTS, WHEEL, Contents, Part, Platform, platform_here
from deploy.bundle.install import Instance
from deploy.bundle.publish import publish
from storage.target import FolderTarget

SITE = "lib/python{}.{}/site-packages".format(*sys.version_info[:2])
REPOSITORY_REQUIREMENTS = b"torch==1.0 --hash=sha256:aa\n"
CPU_REQUIREMENTS = b"torch==1.0 --hash=sha256:bb\n"
PACKAGE = {
    f"{SITE}/tool/__init__.py": b"answer = 42\n",
    f"{SITE}/tool-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: tool\nVersion: 1.0\n",
    "bin/tool": b"#!python\nimport tool\n",
}
DATA_FILES = {
    "models/one/1.0/manifest.json": b"{}",
    "models/one/1.0/compiled/model.onnx": b"weights" * 1000,
    "index/sample/manifest.json": b"{ }",
    "index/sample/index.faiss": b"vectors" * 500,
}


def tar_of(files: dict[str, bytes]) -> bytes:
    """The files as a tar.gz without times: a part is named by its hash, so it must not change."""
    sink = BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755 if name.startswith("bin/") else 0o644
            tar.addfile(entry, BytesIO(content))
    return gzip.compress(sink.getvalue(), mtime=0)


def contents_of(
    folder: Path, *, wheels: bool = True, platform: Platform | None = None, package: dict[str, bytes] | None = None
) -> tuple[Contents, dict[str, Path]]:
    """The contents of a small bundle, and its files, which are written into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [(REQUIREMENTS, "requirements.txt", CPU_REQUIREMENTS)]
    chosen += [(PACKAGES, "packages-0.tar.gz", tar_of(package or PACKAGE))]
    chosen += [(WHEEL, "tool-1.0-py3-none-any.whl", b"a wheel")] if wheels else []
    chosen += [(DATA, name, content) for name, content in DATA_FILES.items()]
    parts, files = [], {}
    for kind, name, content in chosen:
        digest = hashlib.sha256(content).hexdigest()
        (folder / digest).write_bytes(content)
        parts.append(Part(kind, name, digest, len(content)))
        files[digest] = folder / digest
    pinned = hashlib.sha256(REPOSITORY_REQUIREMENTS).hexdigest()
    folders = ("index/sample", "models/one/1.0")
    here = replace(platform_here(), glibc="2.17")
    return Contents(platform or here, pinned, folders, tuple(parts)), files


def published(tmp_path: Path, target: str | None = None, **options: object) -> str:
    """The address of a small bundle in a folder."""
    contents, files = contents_of(tmp_path / "made", **options)  # type: ignore[arg-type]
    return publish(contents, files, FolderTarget(target or str(tmp_path / "bundles")), lambda _: None)


def new_instance(tmp_path: Path) -> Instance:
    """An instance with an empty virtual environment, and the repository's requirements."""
    prefix = tmp_path / "venv"
    (prefix / SITE / "pip-26.0.dist-info").mkdir(parents=True)
    (prefix / "bin").mkdir()
    requirements = tmp_path / "requirements.txt"
    requirements.write_bytes(REPOSITORY_REQUIREMENTS)
    return Instance(tmp_path / "var", requirements, tmp_path / "pip.conf", prefix)


def files_below(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
