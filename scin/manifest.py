"""What an index was made of, with a digest of each of its files. Framework-free, so that a boot check can read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ml.errors import ArtifactError
from storage.base import sha256_file

MANIFEST_FILE = "manifest.json"
FORMAT = 1
#: of what the builder measures of photos (tone, population): to be raised when the same photo gives other values
MEASURES = 2
#: how an index may be arranged: compared one by one, as a graph, in lists (scin.structure)
KINDS = ("flat", "hnsw", "ivf")


@dataclass(frozen=True)
class Vote:
    """How neighbours become conditions: ``neighbours`` cases, weighted by softmax(similarity / temperature)."""

    neighbours: int = 11
    temperature: float = 0.1


@dataclass(frozen=True)
class Structure:
    """How vectors are arranged: ``kind`` is flat (exact), hnsw or ivf. Of an approximate one: ``effort`` is what each
    search is told to look at (efSearch, or nprobe), and ``recall_at_10`` the mean share of the exact ten nearest that
    it then found for ``queries`` of its own vectors, as measured when it was built."""

    kind: str = "flat"
    effort: int | None = None
    recall_at_10: float = 1.0
    queries: int | None = None


@dataclass(frozen=True)
class Manifest:
    """The facts of one index. ``images`` counts photos, ``vectors`` distinct ones; ``built_at`` is the newest source
    time, so that the same input gives the same bytes; ``transforms`` are applied to queries and cases alike;
    ``measures`` is the version of what was measured of its photos, MEASURES where it is up to date."""

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
    structure: Structure = Structure()
    measures: int = 1


def write_manifest(folder: Path, manifest: Manifest) -> None:
    text = json.dumps(asdict(manifest), indent=1, sort_keys=True, ensure_ascii=False)
    (folder / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Raises ArtifactError, in one line, if there is no index or its manifest cannot be read."""
    path = folder / MANIFEST_FILE
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        _check_format(path, facts["format"])
        facts["structure"] = Structure(**facts.get("structure", {}))
        facts["vote"] = Vote(**facts["vote"])
        facts["transforms"] = tuple(facts["transforms"])
        return Manifest(**facts)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtifactError(f"There is no index in {folder}. Build one: python -m scin sample") from error
    except (ValueError, TypeError, KeyError) as error:
        raise ArtifactError(f"{path} is damaged. Build the index again.") from error


def _check_format(path: Path, found: object) -> None:
    if found != FORMAT:
        raise ArtifactError(f"{path} has format {found}, this version reads {FORMAT}. Build the index again.")


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Compare each file with its digest. Raises ArtifactError naming the first that is missing or differs."""
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise ArtifactError(f"{path} is missing. Build the index again.")
        if sha256_file(path) != expected:
            raise ArtifactError(f"{path} does not match its sha256 {expected[:12]}…. Build the index again.")
