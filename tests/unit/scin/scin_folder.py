"""A folder in SCIN's layout, made by a test: its two tables with the real columns, and photos."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from scin.dataset import Dataset, read_dataset
from scin.synthetic.tables import CASE_COLUMNS, LABEL_COLUMNS
from storage import open_storage

Row = Mapping[str, str]
MODIFIED = 1_700_000_000  # 2023-11-14T22:13:20 UTC
GRADABLE = "DEFAULT_YES_IMAGE_QUALITY_SUFFICIENT"


def case(case_id: str, *images: str, **values: str) -> Row:
    """A row of scin_cases.csv; ``images`` are names below dataset/images."""
    paths = {f"image_{n}_path": f"dataset/images/{name}" for n, name in enumerate(images, start=1)}
    shots = {f"image_{n}_shot_type": "CLOSE_UP" for n in range(1, len(images) + 1)}
    return {"case_id": case_id, "source": "SCIN", "release": "1.0.0", "year": "2023", **paths, **shots, **values}


def label(case_id: str, weights: Mapping[str, float] | None = None, **values: str) -> Row:
    """A row of scin_labels.csv, from one dermatologist who lists the conditions of ``weights``."""
    graded: Row = {}
    if weights:
        graded = {
            "dermatologist_gradable_for_skin_condition_1": GRADABLE,
            "dermatologist_skin_condition_on_label_name": repr(list(weights)),
            "dermatologist_skin_condition_confidence": repr([3] * len(weights)),
            "weighted_skin_condition_label": repr(dict(weights)),
        }
    return {"case_id": case_id, **graded, **values}


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    os.utime(path, (MODIFIED, MODIFIED))


def write_tables(folder: Path, cases: Sequence[Row], labels: Sequence[Row]) -> Path:
    (folder / "images").mkdir(parents=True, exist_ok=True)
    write_table(folder / "scin_cases.csv", CASE_COLUMNS, cases)
    write_table(folder / "scin_labels.csv", LABEL_COLUMNS, labels)
    return folder


def write_photo(folder: Path, name: str, seed: int, width: int = 48, height: int = 40) -> None:
    """A photo unlike any of another seed: coarse blocks of random colours."""
    blocks = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST).save(folder / "images" / name, "PNG")


def read(folder: Path) -> Dataset:
    return read_dataset(open_storage(str(folder)))
