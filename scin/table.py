"""The table of cases that belongs to an index: ``cases.parquet`` and the packed thumbnails."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from scin.records import Case

CASES_TABLE, THUMBNAILS = "cases.parquet", "thumbnails.bin"

#: cases that are written together, and objects that are kept of those read
_GROUP, _KEPT = 16_384, 16_384

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
    a request's; None where the photo does not tell it, and in an index that was built without it."""

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
    with pq.ParquetWriter(folder / CASES_TABLE, _SCHEMA, compression="zstd") as writer:
        while group := list(islice(rows, _GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=_SCHEMA))


def read_cases(folder: Path) -> tuple[StoredCase, ...]:
    """Every case, in the table's order."""
    return CaseTable(folder).all()


class CaseTable:
    """The cases in Arrow's columns, some hundred bytes each; those asked for become objects, the latest are kept."""

    def __init__(self, folder: Path) -> None:
        self._table = pq.read_table(folder / CASES_TABLE, schema=_SCHEMA, use_threads=False).combine_chunks()
        self._ids = self._table["case_id"].combine_chunks()
        self.case = lru_cache(_KEPT)(self._case)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def case_id(self, row: int) -> str:
        return str(self._ids[row])

    def find(self, case_id: str) -> int | None:
        """The row of a case."""
        row = int(pc.index(self._ids, case_id).as_py())
        return None if row < 0 else row

    def all(self) -> tuple[StoredCase, ...]:
        return tuple(_from_row(row) for row in self._table.to_pylist())

    def owners(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(vectors, rows): each photo's vector and the row of its case, in the table's order; both (photos,)."""
        photos = self._table["photos"]
        counts = pc.list_value_length(photos).to_numpy()
        vectors = pc.struct_field(pc.list_flatten(photos), "vector").to_numpy()
        return vectors.astype(np.int64), np.repeat(np.arange(len(self)), counts)

    def _case(self, row: int) -> StoredCase:
        return _from_row(self._table.slice(row, 1).to_pylist()[0])


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
