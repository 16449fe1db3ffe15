"""Labelled photos made by a test, and an import of them."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from scin.facts import DatasetFacts, credit
from scin.importing import Report, import_dataset
from scin.labelled_photos import Source
from tests.unit.ml.photo_files import noise, save

FACTS = DatasetFacts(credit(name="Our clinic", licence="CC0-1.0", citation="A. Author", source=""))
MODIFIED = 1_700_000_000  # 2023-11-14T22:13:20 UTC


def paint(path: Path, seed: int, **options: object) -> Path:
    """A photo unlike any of another seed, in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = {".jpg": "JPEG", ".png": "PNG"}[path.suffix]
    path.write_bytes(save(noise(48, 40, seed), kind, **options))
    os.utime(path, (MODIFIED, MODIFIED))
    return path


def table(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    os.utime(path, (MODIFIED, MODIFIED))
    return path


def imported(source: Path, out: Path, *, facts: DatasetFacts = FACTS, photos: Path | None = None) -> Report:
    return import_dataset(Source(source, photos), out, facts)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
