"""Imports labelled photos: writes a dataset in SCIN's layout, which ``python -m scin build`` and ``evaluate`` read."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ml.errors import ImageError
from ml.imaging.metadata import without_metadata
from scin.build import BuildError, check_replaceable
from scin.facts import DatasetFacts, write_facts
from scin.importing.cases import COLUMNS, KeptPhoto, count_labels, make_tables, number
from scin.index.manifest import replace_folder, write_json
from scin.labelled_photos import LabelledPhoto, Source
from scin.labels import condition_name, is_missing
from scin.layout import CASES_FILE, IMAGE_FOLDER, LABEL_COLUMNS, LABELS_FILE, PATH_ROOT, write_table
from storage.base import map_ordered, write_atomically
from storage.work_folder import clear, locked

#: the file that shows that a folder was made by an import; it has the counts
REPORT_FILE = "import.json"
FORMAT = 1
NO_FILE, NO_LABEL, OTHER_KIND = "row without a file", "row without a label", "photo of another kind"
MISSING, SEVERAL, OUTSIDE = "photo missing", "several photos have this name", "path leads out of the folder"
REPEATED, TOO_LARGE, UNREADABLE = "file named by an earlier row", "file larger than 100 MB", "file unreadable"
_MOST_BYTES = 100_000_000

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Report:
    """What was imported. ``patients``: different people that the source names. ``labels``: condition → cases.
    ``skipped``: reason → rows or photos that are not in the dataset. ``notes``: what was changed → cases."""

    cases: int
    photos: int
    patients: int
    labels: Mapping[str, int]
    skipped: Mapping[str, int]
    notes: Mapping[str, int]


def import_dataset(
    source: Source,
    out: Path,
    facts: DatasetFacts,
    *,
    names: Mapping[str, str] | None = None,
    progress: Progress = lambda done, total: None,
) -> Report:
    """Write the dataset ``out``. The complete folder replaces an earlier import in one step.

    Photos are copied without their metadata (ml.imaging.metadata). ``names``: label → name, which takes precedence over
    the known codes (scin.labels). ``progress`` gets (photos done, photos in all). The same input gives the same bytes.

    Raises BuildError if no photo can be imported or ``out`` has something else in it; FolderInUseError if another
    import is running; PhotosError if the source cannot be read.
    """
    _check_apart(source, out)
    check_replaceable(out, REPORT_FILE)
    skipped: Counter[str] = Counter()
    found = list(_located(source, facts.photo_kind, skipped))
    out.parent.mkdir(parents=True, exist_ok=True)
    with _draft(out) as draft:
        kept, newest = _copied(found, draft, skipped, progress), _newest(source, found)
        named = [(photo, condition_name(photo.stated.label, names)) for photo in kept]
        if not named:
            why = ", ".join(f"{count} × {reason}" for reason, count in sorted(skipped.items()))
            raise BuildError(f"There is nothing to import from {source.path}: {why or 'it has no photos'}.")
        tables = make_tables(named)
        write_table(draft / CASES_FILE, COLUMNS, tables.cases)
        write_table(draft / LABELS_FILE, LABEL_COLUMNS, tables.labels)
        for name in (CASES_FILE, LABELS_FILE):
            os.utime(draft / name, (newest, newest))
        write_facts(draft, facts)
        report = Report(
            cases=len(tables.cases),
            photos=tables.photos,
            patients=len({photo.stated.patient for photo in kept} - {""}),
            labels=count_labels(tables.labels),
            skipped=dict(sorted((skipped + Counter(tables.skipped)).items())),
            notes=tables.notes,
        )
        write_json(draft / REPORT_FILE, {"format": FORMAT, **asdict(report)})
        replace_folder(out, draft, aside=draft.with_name("replaced"))
    return report


def _check_apart(source: Source, out: Path) -> None:
    target, photos = out.resolve(), source.root.resolve()
    if photos.is_relative_to(target) or source.path.resolve().is_relative_to(target):
        raise BuildError(f"{out} contains the photos to import. Choose another folder for --out.")
    if not source.is_table and target.is_relative_to(photos):
        raise BuildError(f"{out} is inside the folder of the photos. Choose a folder outside for --out.")


@contextmanager
def _draft(out: Path) -> Iterator[Path]:
    """A new folder inside a locked folder beside ``out``. What a killed import left there is removed."""
    work = out.with_name(f".{out.name}.importing")
    with locked(work, "import"):
        clear(work)
        draft = work / "new"
        draft.mkdir()
        try:
            yield draft
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _located(source: Source, kind: str, skipped: Counter[str]) -> Iterator[tuple[Path, LabelledPhoto]]:
    """The files to import, each once. Counts the rows that are skipped."""
    seen: set[Path] = set()
    for row in source.rows():
        place = _place(source, row, kind)
        if isinstance(place, str):
            skipped[place] += 1
        elif place in seen:
            skipped[REPEATED] += 1
        else:
            seen.add(place)
            yield place, row


def _place(source: Source, row: LabelledPhoto, kind: str) -> Path | str:
    """The file of a row, or the reason why there is none to import."""
    if not row.file:
        return NO_FILE
    if is_missing(row.label):
        return NO_LABEL
    if row.kind and row.kind != kind:
        return OTHER_KIND
    if not source.holds(source.root / row.file):
        return OUTSIDE
    files = source.find(row.file)
    if len(files) != 1:
        return SEVERAL if files else MISSING
    return files[0].resolve() if source.holds(files[0]) else OUTSIDE


def _copied(
    found: list[tuple[Path, LabelledPhoto]], draft: Path, skipped: Counter[str], progress: Progress
) -> list[KeptPhoto]:
    """Copy the photos to the draft, a few at a time, on all cores. Those with the same bytes share one copy."""
    images = draft / IMAGE_FOLDER.removeprefix(PATH_ROOT)
    images.mkdir()
    cores = len(os.sched_getaffinity(0))
    copies = map_ordered(_copy, (path for path, _ in found), workers=cores, ahead=2 * cores, name="copier")
    kept, names = [], dict[str, str]()
    for done, ((_, row), copy) in enumerate(zip(found, copies, strict=True), start=1):
        if isinstance(copy, str):
            skipped[copy] += 1
        else:
            digest, data, suffix = copy
            if digest not in names:
                names[digest] = f"{number('photo', digest)}{suffix}"
                write_atomically(images / names[digest], data)
            kept.append(KeptPhoto(f"{IMAGE_FOLDER}/{names[digest]}", digest, row))
        progress(done, len(found))
    return kept


def _copy(path: Path) -> tuple[str, bytes, str] | str:
    """(sha256 of the file, bytes of the copy, its suffix), or the reason why it cannot be imported."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return TOO_LARGE
        data = path.read_bytes()
        return hashlib.sha256(data).hexdigest(), *without_metadata(data)
    except OSError:
        return UNREADABLE
    except ImageError as error:
        return f"image: {error.code}"


def _newest(source: Source, found: list[tuple[Path, LabelledPhoto]]) -> int:
    """The time of the newest file of the source in Unix seconds. It becomes that of the tables, and of the index."""
    files = [path for path, _ in found] + [source.path] * source.is_table
    return max((int(path.stat().st_mtime) for path in files), default=0)
