"""The table of cases that belongs to an index: ``cases.parquet`` and the packed thumbnails."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scin.records import Case

CASES_TABLE, THUMBNAILS = "cases.parquet", "thumbnails.bin"

_PHOTO = pa.struct([("vector", pa.int32()), ("offset", pa.int64()), ("length", pa.int32()), ("shot_type", pa.string())])
_SCHEMA = pa.schema(
    [
        ("case_id", pa.string()),
        ("photos", pa.list_(_PHOTO)),
        ("differential", pa.map_(pa.string(), pa.float64())),
        ("dermatologists", pa.int32()),
        ("agreement", pa.float64()),
        ("fitzpatrick_self", pa.string()),
        ("fitzpatrick_labels", pa.list_(pa.string())),
        ("monk_india", pa.int32()),
        ("monk_us", pa.int32()),
        ("body_parts", pa.list_(pa.string())),
        ("age_group", pa.string()),
        ("sex", pa.string()),
    ]
)


@dataclass(frozen=True)
class StoredPhoto:
    """``vector`` is the photo's row in the index (copies of one image share it); offset and length are in bytes."""

    vector: int
    offset: int
    length: int
    shot_type: str | None


@dataclass(frozen=True)
class StoredCase:
    """A case as the index keeps it."""

    case_id: str
    photos: tuple[StoredPhoto, ...]
    differential: Mapping[str, float]
    dermatologists: int
    agreement: float | None
    fitzpatrick_self: str | None
    fitzpatrick_labels: tuple[str, ...]
    monk_india: int | None
    monk_us: int | None
    body_parts: tuple[str, ...]
    age_group: str | None
    sex: str | None

    @classmethod
    def of(cls, case: Case, photos: Iterable[StoredPhoto]) -> StoredCase:
        return cls(
            case_id=case.case_id,
            photos=tuple(photos),
            differential=case.label.weights,
            dermatologists=case.label.dermatologists,
            agreement=case.label.agreement,
            fitzpatrick_self=case.fitzpatrick_self,
            fitzpatrick_labels=case.fitzpatrick_labels,
            monk_india=case.monk_india,
            monk_us=case.monk_us,
            body_parts=case.body_parts,
            age_group=case.age_group,
            sex=case.sex,
        )


def write_cases(folder: Path, cases: Iterable[StoredCase]) -> None:
    """Write the table; the same cases give the same bytes."""
    rows = [_row(case) for case in cases]
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), folder / CASES_TABLE, compression="zstd")


def read_cases(folder: Path) -> tuple[StoredCase, ...]:
    table = pq.read_table(folder / CASES_TABLE, schema=_SCHEMA, use_threads=False)
    return tuple(_from_row(row) for row in table.to_pylist())


class Thumbnails:
    """WebP images packed into one file, read through a memory map that the workers share."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def read(self, photo: StoredPhoto) -> bytes:
        return self._map[photo.offset : photo.offset + photo.length]


def _row(case: StoredCase) -> dict[str, Any]:
    return {
        **case.__dict__,
        "photos": [photo.__dict__ for photo in case.photos],
        "differential": list(case.differential.items()),
    }


def _from_row(row: dict[str, Any]) -> StoredCase:
    sequences = {name: tuple(row[name]) for name in ("fitzpatrick_labels", "body_parts")}
    photos = tuple(StoredPhoto(**photo) for photo in row["photos"])
    return StoredCase(**{**row, **sequences, "photos": photos, "differential": dict(row["differential"])})
