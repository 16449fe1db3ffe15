"""The table of cases that belongs to an index: ``cases.parquet`` and the packed thumbnails."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scin.records import Case

CASES_TABLE, THUMBNAILS = "cases.parquet", "thumbnails.bin"

#: cases that are written together
_GROUP = 16_384

_PHOTO = pa.struct([("vector", pa.int32()), ("offset", pa.int64()), ("length", pa.int32()), ("shot_type", pa.string())])
SCHEMA = pa.schema(
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
        ("monk_estimate", pa.int32()),
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
    """A case as the index keeps it. ``monk_estimate`` is our own of its first photo, 1–10, made as serving makes it of
    a request's; None where that photo is missing or does not tell it, and in an index that was built without it."""

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
    monk_estimate: int | None = None

    @classmethod
    def of(cls, case: Case, photos: Iterable[StoredPhoto], monk_estimate: int | None = None) -> StoredCase:
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
            monk_estimate=monk_estimate,
        )


def write_cases(folder: Path, cases: Iterable[StoredCase]) -> None:
    """Write the table as the cases come; the same cases give the same bytes."""
    rows = (_row(case) for case in cases)
    with pq.ParquetWriter(folder / CASES_TABLE, SCHEMA, compression="zstd") as writer:
        while group := list(islice(rows, _GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=SCHEMA))


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
