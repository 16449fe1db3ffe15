"""Reads labelled photos: a folder with one folder for each label, or a CSV file. The importer and the evaluation of an
index share this.

A column is recognised by its name, whatever its case. These are the names in the tables of HAM10000, the ISIC archive,
PAD-UFES-20 and Fitzpatrick17k, and a few plain ones.
"""

from __future__ import annotations

import csv
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ml.errors import MLError
from ml.values import CLINICAL, DERMATOSCOPIC

#: what a row may state → the names of its column; the first one that the table has counts
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "file": ("file", "image", "path", "image_id", "isic_id", "img_id", "md5hash"),
    "label": ("condition", "label", "dx", "diagnosis", "diagnostic", "diagnosis_3", "diagnosis_2"),
    "case": ("case_id", "lesion_id"),
    "patient": ("patient_id",),
    "age": ("age", "age_approx"),
    "sex": ("sex", "gender"),
    "body_site": ("localization", "anatom_site_general", "region", "body_site", "body_part"),
    "skin_type": ("fitzpatrick_scale", "fitspatrick", "fitzpatrick_skin_type", "fitzpatrick", "skin_type"),
    "kind": ("image_type",),
    "licence": ("copyright_license",),
}
#: columns that only one dataset's table has → the kind of its photos
_KINDS = {"dx_type": DERMATOSCOPIC, "isic_id": DERMATOSCOPIC, "fitspatrick": CLINICAL, "md5hash": CLINICAL}
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".mpo", ".heif", ".heic", ".avif"}

csv.field_size_limit(1 << 20)


class PhotosError(MLError):
    """Labelled photos cannot be read. The message says why."""


@dataclass(frozen=True, kw_only=True)
class LabelledPhoto:
    """What the source says of a photo; "" where it says nothing. ``file`` is its path or name. Photos with the same
    ``case`` and ``patient`` show one case."""

    file: str
    label: str = ""
    case: str = ""
    patient: str = ""
    age: str = ""
    sex: str = ""
    body_site: str = ""
    skin_type: str = ""
    kind: str = ""
    licence: str = ""


class Source:
    """A folder, or a CSV file whose photos are in ``photos`` (by default, in the folder of the CSV file)."""

    def __init__(self, path: Path, photos: Path | None = None) -> None:
        """Raises PhotosError if there is no such file or folder."""
        self.path = path
        self.is_table = path.is_file()
        self.root = photos or (path.parent if self.is_table else path)
        if not (self.is_table or path.is_dir()):
            raise PhotosError(f"{path} does not exist. Give a folder of photos or a CSV file.")
        if not self.root.is_dir():
            raise PhotosError(f"{self.root} is not a folder. Give the folder of the photos.")

    def rows(self) -> Iterator[LabelledPhoto]:
        """What the source says of each photo, in its own order. Raises PhotosError if the file cannot be read."""
        return self._from_table() if self.is_table else self._from_folders()

    @cached_property
    def kind(self) -> str | None:
        """The kind of the photos (ml.values.PHOTO_KINDS) if the columns tell it, else None."""
        if not self.is_table:
            return None
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            header = [name.strip().lower() for name in next(csv.reader(file), [])]
        return next((kind for column, kind in _KINDS.items() if column in header), None)

    def find(self, file: str) -> list[Path]:
        """The files that ``file`` may mean: the one at this path; else those below the folder with this name, or with
        this name and the suffix of a photo."""
        path = self.root / file
        try:
            if path.is_file():
                return [path]
        except OSError:  # such as a name that is too long
            return []
        if not self.is_table or Path(file).name != file:
            return []
        return self._by_name.get(file) or self._by_stem.get(file) or self._by_stem.get(Path(file).stem) or []

    def holds(self, path: Path) -> bool:
        """Whether the file is in the folder of the photos, after all links are followed."""
        try:
            return path.resolve().is_relative_to(self._real_root)
        except ValueError:  # a path with a null character
            return False

    @cached_property
    def _real_root(self) -> Path:
        return self.root.resolve()

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        found = defaultdict(list)
        for path in _files(self.root):
            found[path.name].append(path)
        return found

    @cached_property
    def _by_stem(self) -> dict[str, list[Path]]:
        found = defaultdict(list)
        for paths in self._by_name.values():
            for path in paths:
                if path.suffix.lower() in _SUFFIXES:
                    found[path.stem].append(path)
        return found

    def _from_folders(self) -> Iterator[LabelledPhoto]:
        for folder in sorted(path for path in self.root.glob("*") if path.is_dir()):
            for path in _files(folder):
                yield LabelledPhoto(file=path.relative_to(self.root).as_posix(), label=folder.name)

    def _from_table(self) -> Iterator[LabelledPhoto]:
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                rows = csv.DictReader(file)
                columns = _columns(self.path, rows.fieldnames or ())
                for row in rows:
                    yield _photo({what: (row.get(name) or "").strip() for what, name in columns.items()})
        except (UnicodeDecodeError, csv.Error) as error:
            raise PhotosError(f"{self.path} is not a CSV file in UTF-8: {error}.") from error


def _photo(stated: dict[str, str]) -> LabelledPhoto:
    if kind := stated.get("kind"):  # ISIC's: dermoscopic, clinical: close-up, TBP tile: close-up, …
        stated["kind"] = DERMATOSCOPIC if re.match("derma?t?o?scopic", kind.lower()) else CLINICAL
    return LabelledPhoto(**stated)


def _files(folder: Path) -> Iterator[Path]:
    """All files below the folder, in the order of their paths. Hidden ones and linked folders are left out."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(names) if not name.startswith("."))


def _columns(path: Path, header: Iterable[str]) -> dict[str, str]:
    """What the table states → its column. Raises PhotosError without a column of files and one of labels."""
    present = {name.strip().lower(): name for name in header}
    found = {}
    for what, names in COLUMNS.items():
        column = next((present[name] for name in names if name in present), None)
        if column is None and what in ("file", "label"):
            raise PhotosError(
                f"{path} needs a column {' or '.join(COLUMNS['file'])} and a column {' or '.join(COLUMNS['label'])}."
            )
        if column is not None:
            found[what] = column
    return found
