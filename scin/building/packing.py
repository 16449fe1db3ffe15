"""Rows as the bytes of a parquet file: what a shard is on disk, and what a machine of a cluster hands back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scin.building.photos import Row

_COLUMNS = ("path", "digest", "vector", "thumbnail", "skipped", "monk")


def pack(rows: Sequence[Row], dimension: int) -> bytes:
    """The same rows give the same bytes; vectors are float32, of ``dimension`` numbers."""
    columns = {name: [getattr(row, name) for row in rows] for name in _COLUMNS}
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_pydict(columns, schema=_schema(dimension)), sink, compression="none", use_dictionary=False
    )
    return bytes(sink.getvalue().to_pybytes())


def unpack(packed: Path | bytes, dimension: int) -> Iterator[Row]:
    """The rows of a file, or of what ``pack`` gave."""
    source = pa.BufferReader(packed) if isinstance(packed, bytes) else packed
    for row in pq.read_table(source, schema=_schema(dimension)).to_pylist():
        vector = None if row["vector"] is None else np.array(row["vector"], np.float32)
        yield Row(**{**row, "vector": vector})


def _schema(dimension: int) -> pa.Schema:
    return pa.schema(
        [
            ("path", pa.string()),
            ("digest", pa.string()),
            ("vector", pa.list_(pa.float32(), dimension)),
            ("thumbnail", pa.binary()),
            ("skipped", pa.string()),
            ("monk", pa.int32()),
        ]
    )
