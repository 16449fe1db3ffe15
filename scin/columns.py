"""Columns of an Arrow table as plain arrays: a cell is read within a microsecond, a million rows are no objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_T = TypeVar("_T")
_Cell_co = TypeVar("_Cell_co", covariant=True)
#: stands for "nothing" in a column of numbers, none of which is below zero
_NOTHING = -1


class Column(Protocol[_Cell_co]):
    """What is in each row."""

    def __getitem__(self, row: int) -> _Cell_co: ...


class Numbers:
    """Numbers from zero, whole ones or not as the array has them, or None."""

    def __init__(self, array: pa.Array) -> None:
        self._values = array.fill_null(_NOTHING).to_numpy()

    def __getitem__(self, row: int) -> Any:
        value = self._values.item(row)
        return None if value == _NOTHING else value


class Texts:
    """Texts of which few differ, or None: each once, and a number a row."""

    def __init__(self, array: pa.Array) -> None:
        encoded = array.dictionary_encode()
        self._texts: tuple[str | None, ...] = (*encoded.dictionary.to_pylist(), None)
        self._codes = encoded.indices.fill_null(len(self._texts) - 1).to_numpy()

    def __getitem__(self, row: int) -> str | None:
        code: int = self._codes.item(row)
        return self._texts[code]


class Names:
    """Texts that all differ."""

    def __init__(self, array: pa.Array) -> None:
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, row: int) -> str:
        return str(self._array[row])

    def find(self, name: str) -> int | None:
        """The row of a name."""
        row = int(pc.index(self._array, name).as_py())
        return None if row < 0 else row

    def ranks(self) -> NDArray[np.int32]:
        """(rows,) the place of each name among all in alphabetical order."""
        ranks = np.empty(len(self), np.int32)
        ranks[pc.sort_indices(self._array).to_numpy()] = np.arange(len(self), dtype=np.int32)
        return ranks


class Lists(Generic[_T]):
    """Of each row a list. ``cells`` are those of all rows, one after the other."""

    def __init__(self, array: pa.ListArray, cells: Column[_T]) -> None:
        self._starts = array.offsets.to_numpy()
        self._cells = cells

    def __getitem__(self, row: int) -> tuple[_T, ...]:
        return tuple(map(self._cells.__getitem__, range(self._starts.item(row), self._starts.item(row + 1))))


class Maps:
    """Of each row a mapping from texts to numbers, in the order that it was written in."""

    def __init__(self, array: pa.MapArray) -> None:
        self._keys = Lists(array, Texts(array.keys))
        self._values = Lists(array, Numbers(array.items))

    def __getitem__(self, row: int) -> Mapping[str | None, Any]:
        return dict(zip(self._keys[row], self._values[row], strict=True))
