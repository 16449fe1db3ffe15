"""The table of cases behind an index: ``cases.parquet``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from scin.dataset import Case, CaseFacts

CASES_TABLE, THUMBNAILS = "cases.parquet", "thumbnails.bin"

#: cases per row group of the file
_GROUP = 16_384

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
        ("patient_id", pa.string()),
        ("seen", pa.bool_()),
    ]
)
#: columns with few distinct values; they are dictionary-encoded in memory
_REPEATED = ("fitzpatrick_self", "age_group", "sex")


@dataclass(frozen=True)
class StoredPhoto:
    """``vector`` is the photo's row in the index; copies of one photo share a row. The thumbnail is ``length`` bytes at
    ``offset`` in thumbnails.bin."""

    vector: int
    offset: int
    length: int
    shot_type: str | None


@dataclass(frozen=True, kw_only=True)
class StoredCase(CaseFacts):
    """A case in the index. ``seen``: whether the encoder was trained on this case."""

    photos: tuple[StoredPhoto, ...]
    differential: Mapping[str, float]
    dermatologists: int
    agreement: float | None
    seen: bool = False

    @classmethod
    def of(cls, case: Case, photos: Iterable[StoredPhoto], *, seen: bool = False) -> StoredCase:
        return cls(
            **{field.name: getattr(case, field.name) for field in fields(CaseFacts)},
            photos=tuple(photos),
            differential=case.label.weights,
            dermatologists=case.label.dermatologists,
            agreement=case.label.agreement,
            seen=seen,
        )


def write_cases(folder: Path, cases: Iterable[StoredCase]) -> None:
    """Write the table while iterating over ``cases``. The same cases give the same bytes."""
    rows = (_row(case) for case in cases)
    with pq.ParquetWriter(folder / CASES_TABLE, _SCHEMA, compression="zstd") as writer:
        while group := list(islice(rows, _GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=_SCHEMA))


def read_cases(folder: Path) -> tuple[StoredCase, ...]:
    """Every case, in the table's order."""
    table = CaseTable(folder)
    return tuple(table.case(row) for row in range(len(table)))


class CaseTable:
    """All cases in Arrow arrays, some hundred bytes each. Objects are made only for requested cases."""

    def __init__(self, folder: Path) -> None:
        # Earlier versions have other columns: surplus ones are not read, and missing ones are null.
        table = pq.read_table(folder / CASES_TABLE, schema=_SCHEMA, use_threads=False)
        self._columns: dict[str, Any] = {name: table[name].combine_chunks() for name in _SCHEMA.names}
        self._columns |= {name: self._columns[name].dictionary_encode() for name in _REPEATED}
        del table
        pa.default_memory_pool().release_unused()  # otherwise Arrow keeps the memory that reading needed

    def __len__(self) -> int:
        return len(self._columns["case_id"])

    def value(self, row: int, column: str) -> Any:
        """One field of a case as Arrow returns it. A mapping is a list of pairs."""
        return self._columns[column][row].as_py()

    def case(self, row: int) -> StoredCase:
        values = {name: self.value(row, name) for name in self._columns}
        return StoredCase(
            **{
                **values,
                "photos": tuple(StoredPhoto(**photo) for photo in values["photos"]),
                "differential": dict(values["differential"]),
                "fitzpatrick_labels": tuple(values["fitzpatrick_labels"]),
                "body_parts": tuple(values["body_parts"]),
                "seen": bool(values["seen"]),
            }
        )

    def photos(self, case_id: str) -> tuple[StoredPhoto, ...]:
        """The photos of a case. Empty if there is no such case."""
        row = pc.index(self._columns["case_id"], case_id).as_py()
        return () if row < 0 else self.case(row).photos

    def ranks(self) -> NDArray[np.int32]:
        """(cases,) the rank of each case id in alphabetical order, from 0."""
        ranks = np.empty(len(self), np.int32)
        ranks[pc.sort_indices(self._columns["case_id"]).to_numpy()] = np.arange(len(self), dtype=np.int32)
        return ranks

    def owners(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(vectors, rows), both (photos,): each photo's vector and the row of its case, in the table's order."""
        photos = self._columns["photos"]
        vectors = photos.values.field("vector").to_numpy().astype(np.int64)
        return vectors, np.repeat(np.arange(len(self)), np.diff(photos.offsets.to_numpy()))


def _row(case: StoredCase) -> dict[str, Any]:
    return {
        **case.__dict__,
        "photos": [photo.__dict__ for photo in case.photos],
        "differential": list(case.differential.items()),
    }
