"""The manifest of an index: its origin, its parameters and a digest of each file.

This module imports no ML framework, because the boot checks use it.
"""

from __future__ import annotations

import ctypes
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, TypeAdapter

from ml.errors import ArtifactError
from ml.values import CLINICAL
from storage.base import sha256_file

MANIFEST_FILE = "manifest.json"
FORMAT = 1
#: version of the builder's measurements (the population). Increase it if the same photo gives different values.
MEASURES = 2

#: renameat2(2): paths are relative to the working folder; exchange the two names
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2

_T = TypeVar("_T")


@dataclass(frozen=True)
class Vote:
    """Parameters of the vote: the nearest ``neighbours`` cases vote with weights softmax(similarity / temperature)."""

    neighbours: int = 11
    temperature: float = 0.1


@dataclass(frozen=True)
class Structure:
    """The data structure of the vectors.

    ``kind`` is one of scin.index.vectors.kinds(); "flat" is exact. ``parameters`` are the search parameters, such as
    {"nprobe": 32} for ivf or {"efSearch": 64} for hnsw. ``recall_at_10`` is the mean share, 0–1, of the exact ten
    nearest vectors that a search finds. It is measured at build time on ``queries`` of the index's own vectors.
    """

    kind: str = "flat"
    parameters: Mapping[str, int] = field(default_factory=dict)
    recall_at_10: float = 1.0
    queries: int | None = None


def _named_parameters(structure: Any) -> Any:
    """Read manifests of earlier versions, which call nprobe and efSearch "effort"."""
    if not isinstance(structure, dict) or structure.get("effort") is None:
        return structure
    name = "efSearch" if structure.get("kind") == "hnsw" else "nprobe"
    return {**structure, "parameters": {name: structure["effort"]}}


@dataclass(frozen=True)
class Manifest:
    """Facts about one index.

    ``images`` is the number of photos, ``vectors`` the number of distinct photos. ``skipped`` maps a reason to the
    number of rows and photos that are not in the index. ``transforms`` apply to queries and to stored vectors.
    ``built_at`` is the time of the newest source file, so that the same input gives the same bytes. ``files`` maps each
    file to its sha256. ``measures`` is the value of MEASURES at build time. ``head_weight``, 0–1, is the head's part in
    the conditions' shares; the vote has the rest. An index with a weight of 0 has no head. ``photo_kind`` is as in
    ml.values.IndexInfo.
    """

    format: int
    name: str
    dataset: str
    release: str
    synthetic: bool
    cases: int
    images: int
    vectors: int
    skipped: Mapping[str, int]
    encoder: str
    encoder_version: str
    encoder_fingerprint: str
    dimension: int
    metric: str
    transforms: tuple[str, ...]
    vote: Vote
    licence: str
    attribution: Mapping[str, str]
    built_at: str
    files: Mapping[str, str]
    structure: Annotated[Structure, BeforeValidator(_named_parameters)] = Structure()
    measures: int = 1
    head_weight: float = 0.0
    photo_kind: str = CLINICAL

    @property
    def method(self) -> str:
        """How the index ranks conditions: by "vote", "head" or "mixture"."""
        return {0.0: "vote", 1.0: "head"}.get(self.head_weight, "mixture")


def write_manifest(folder: Path, manifest: Manifest) -> None:
    write_json(folder / MANIFEST_FILE, asdict(manifest))


def read_manifest(folder: Path) -> Manifest:
    """Raises ArtifactError, in one line, if there is no index or its manifest cannot be read."""
    try:
        return read_json(folder / MANIFEST_FILE, Manifest, FORMAT, "Build the index again.")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtifactError(f"There is no index in {folder}. Build one: python -m scin sample") from error


def manifest_digest(folder: Path) -> str:
    """The first 12 hexadecimal digits of the manifest's sha256. It identifies the whole index."""
    return sha256_file(folder / MANIFEST_FILE)[:12]


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Compare each file with its digest. Raises ArtifactError at the first file that is missing or differs."""
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise ArtifactError(f"{path} is missing. Build the index again.")
        if sha256_file(path) != expected:
            raise ArtifactError(f"{path} does not match its sha256 {expected[:12]}…. Build the index again.")


def check_encoder(folder: Path, manifest: Manifest, fingerprint: str, dimension: int) -> None:
    """Raise ArtifactError if the index was not made with the encoder of this fingerprint and dimension."""
    if manifest.dimension != dimension:
        raise ArtifactError(
            f"The index in {folder} has {manifest.dimension} dimensions, but the encoder has {dimension}. Build the "
            f"index again, or choose another one (DERMSERVE_INDEX), or use the encoder that made it: {manifest.encoder}"
        )
    if manifest.encoder_fingerprint != fingerprint:
        raise ArtifactError(
            f"The index in {folder} was built with another encoder ({manifest.encoder} {manifest.encoder_version}, or "
            "other weights). Build it again with this encoder, or choose another index (DERMSERVE_INDEX)."
        )


def write_json(path: Path, facts: Mapping[str, Any]) -> None:
    """Write facts as JSON. The same facts give the same bytes."""
    text = json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path, kind: type[_T], version: int, remedy: str) -> _T:
    """Read an object of the dataclass ``kind`` that ``write_json`` wrote together with its "format".

    Raises FileNotFoundError; ArtifactError, in one line that ends with ``remedy``, if the format is not ``version`` or
    the file is damaged.
    """
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["format"] != version:
            raise ArtifactError(f"{path} has format {facts['format']}, but this version reads {version}. {remedy}")
        return TypeAdapter(kind).validate_python(facts)
    except (ValueError, TypeError, KeyError) as error:
        raise ArtifactError(f"{path} is damaged. {remedy}") from error


def replace_folder(folder: Path, new: Path, aside: Path) -> None:
    """Replace the index in ``folder``, if there is one, by ``new``; it is moved to ``aside`` and deleted.

    On Linux this is one step: at each moment ``folder`` is the old index or the new one. Elsewhere, and on file systems
    that cannot exchange two folders, it is absent for a moment. Processes that have the old files open can still read
    them. If ``new`` cannot be moved, the old index is put back and OSError raised. All three are on one file system.
    """
    shutil.rmtree(aside, ignore_errors=True)
    if folder.exists() and _exchange(folder, new):
        new.rename(aside)
    else:
        if folder.exists():
            folder.rename(aside)
        try:
            new.rename(folder)
        except OSError:
            if aside.exists():
                aside.rename(folder)
            raise
    shutil.rmtree(aside, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two folders in one step. False if the system or the file system cannot."""
    libc = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    if libc is None or not hasattr(libc, "renameat2"):
        return False
    return bool(libc.renameat2(_AT_FDCWD, bytes(one), _AT_FDCWD, bytes(other), _RENAME_EXCHANGE) == 0)
