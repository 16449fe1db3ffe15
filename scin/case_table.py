"""The table of cases beside an index, read into arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from scin.columns import Column, Lists, Maps, Names, Numbers, Texts
from scin.table import CASES_TABLE, SCHEMA, StoredCase, StoredPhoto


def read_cases(folder: Path) -> tuple[StoredCase, ...]:
    """Every case, in the table's order."""
    table = CaseTable(folder)
    return tuple(table.case(row) for row in range(len(table)))


class CaseTable:
    """The cases, some hundred bytes each; one becomes an object when it is asked for."""

    def __init__(self, folder: Path) -> None:
        table = pq.read_table(folder / CASES_TABLE, schema=SCHEMA, use_threads=False)
        arrays = {name: table[name].combine_chunks() for name in SCHEMA.names}
        self.ids = Names(arrays.pop("case_id"))
        self._columns: dict[str, Column[Any]] = {name: _column(array) for name, array in arrays.items()}
        self._starts = arrays["photos"].offsets.to_numpy()
        self._vectors = arrays["photos"].values.field("vector").to_numpy()
        del table, arrays
        pa.default_memory_pool().release_unused()  # else Arrow keeps for its next table what this one's texts took

    def __len__(self) -> int:
        return len(self.ids)

    def case(self, row: int) -> StoredCase:
        return StoredCase(self.ids[row], **{name: column[row] for name, column in self._columns.items()})

    def cell(self, row: int, name: str) -> Any:
        """One field of a case, where the others are not needed."""
        return self._columns[name][row]

    def photos(self, case_id: str) -> tuple[StoredPhoto, ...]:
        """The photos of a case; none if there is no such case."""
        row = self.ids.find(case_id)
        return () if row is None else self.cell(row, "photos")

    def owners(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(vectors, rows): each photo's vector and the row of its case, in the table's order; both (photos,)."""
        return self._vectors.astype(np.int64), np.repeat(np.arange(len(self)), np.diff(self._starts))


class _Photos:
    """The photos of all cases, one after the other."""

    def __init__(self, array: pa.StructArray) -> None:
        self._vectors, self._offsets, self._lengths = (
            Numbers(array.field(name)) for name in ("vector", "offset", "length")
        )
        self._shot_types = Texts(array.field("shot_type"))

    def __getitem__(self, row: int) -> StoredPhoto:
        return StoredPhoto(self._vectors[row], self._offsets[row], self._lengths[row], self._shot_types[row])


def _column(array: pa.Array) -> Column[Any]:
    if pa.types.is_map(array.type):
        return Maps(array)
    if pa.types.is_list(array.type):
        return Lists(array, _Photos(array.values) if pa.types.is_struct(array.type.value_type) else Texts(array.values))
    return Texts(array) if pa.types.is_string(array.type) else Numbers(array)
