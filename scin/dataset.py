"""Reads two CSV files in SCIN's layout into typed cases. Also has ICD-10 codes for condition names.

In the files, flags are "YES" or empty. Lists and dicts are Python literals; ``ast.literal_eval`` reads them safely.
"""

from __future__ import annotations

import ast
import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from scin.facts import SYNTHETIC_SOURCE, DatasetFacts, read_facts
from scin.layout import CASES_FILE, LABELS_FILE, PATH_ROOT, PATIENT_COLUMN
from storage import Storage, StorageError

_BODY_PART = "body_parts_"
_CASE_ID = re.compile(r"-?[0-9]{1,19}")
_UNKNOWN = {"", "AGE_UNKNOWN", "OTHER_OR_UNSPECIFIED", "NONE_IDENTIFIED"}

_T = TypeVar("_T")

csv.field_size_limit(1 << 20)


@dataclass(frozen=True)
class ImageRef:
    """One photo. ``path`` is relative to the dataset's folder. ``shot_type`` is for example CLOSE_UP."""

    path: str
    shot_type: str | None


@dataclass(frozen=True)
class Label:
    """The dermatologists' differential.

    ``conditions`` concatenates the lists of all dermatologists. ``weights`` maps conditions to weights; their sum is 1,
    apart from rounding. ``dermatologists`` is the number of dermatologists who could grade the photos.
    """

    conditions: tuple[str, ...]
    weights: Mapping[str, float]
    dermatologists: int

    @property
    def top(self) -> str | None:
        """The condition with the largest weight, or None. With equal weights, the first one in the dataset's order."""
        return max(self.weights, key=lambda name: self.weights[name], default=None)

    @property
    def agreement(self) -> float | None:
        """The share of the dermatologists who list ``top``, 0–1. A dermatologist lists a condition at most once."""
        if self.top is None or not self.dermatologists:
            return None
        return min(1.0, self.conditions.count(self.top) / self.dermatologists)


@dataclass(frozen=True, kw_only=True)
class CaseFacts:
    """The contributor's answers, and the skin tones from several raters. Unknown values are None.

    ``case_id`` is the text of a signed 64-bit number. Monk tones are 1–10. ``patient_id`` is from the column of that
    name, which SCIN does not have: a dataset of several cases of one person has it, so that they can be kept together.
    """

    case_id: str
    fitzpatrick_self: str | None
    fitzpatrick_labels: tuple[str, ...]
    monk_india: int | None
    monk_us: int | None
    body_parts: tuple[str, ...]
    age_group: str | None
    sex: str | None
    patient_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Case(CaseFacts):
    """A contributed case with its photos and its label."""

    source: str
    release: str
    images: tuple[ImageRef, ...]
    label: Label


@dataclass(frozen=True)
class Dataset:
    """The cases of both files, and what the dataset states about itself. ``skipped`` maps a reason to the number of
    rows that are not valid cases. ``modified_at`` is the ISO time of the newer file, or "unknown" if the store does not
    state it."""

    cases: tuple[Case, ...]
    skipped: Mapping[str, int]
    modified_at: str
    facts: DatasetFacts

    @property
    def synthetic(self) -> bool:
        """Whether any case is generated instead of photographed."""
        return any(case.source == SYNTHETIC_SOURCE for case in self.cases)


def read_dataset(store: Storage) -> Dataset:
    """Read and join both files, in the order of the case table. Raises StorageError if a file is missing or invalid."""
    labels = {row["case_id"]: row for row in _rows(store, LABELS_FILE)}
    cases: dict[str, Case] = {}
    skipped: Counter[str] = Counter()
    for row in _rows(store, CASES_FILE):
        try:
            case = _case(row, labels.get(row["case_id"]))
            if cases.setdefault(case.case_id, case) is not case:
                raise _BadRowError("case_id occurs twice")
        except _BadRowError as error:
            skipped[str(error)] += 1
    facts = read_facts(store, {case.source for case in cases.values()})
    return Dataset(tuple(cases.values()), dict(skipped), _modified_at(store), facts)


def _modified_at(store: Storage) -> str:
    try:
        infos = [info for info in store.list("scin_") if info.name in (CASES_FILE, LABELS_FILE)]
    except StorageError:  # a web server does not list its files
        return "unknown"
    times = [info.modified for info in infos if info.modified is not None]
    return max(times).isoformat(timespec="seconds") if times else "unknown"


class _BadRowError(Exception):
    """A row is not a valid case. The message is the reason in ``Dataset.skipped``."""


def _rows(store: Storage, name: str) -> Iterator[dict[str, str]]:
    try:
        rows = csv.DictReader(io.StringIO(store.read(name).decode("utf-8-sig"), newline=""))
        if "case_id" not in (rows.fieldnames or ()):
            raise StorageError(f"{name} in {store.uri} has no column case_id: it is not SCIN's table.")
        yield from rows
    except (UnicodeDecodeError, csv.Error) as error:
        raise StorageError(f"{name} in {store.uri} is not a CSV file in UTF-8: {error}.") from error


def _case(row: Mapping[str, str], label: Mapping[str, str] | None) -> Case:
    if label is None:
        raise _BadRowError("no row in the labels file")
    if not _is_whole(row) or not _is_whole(label):
        raise _BadRowError("wrong number of columns")
    case_id = row["case_id"].strip()
    if not _CASE_ID.fullmatch(case_id):
        raise _BadRowError("case_id is not a number")
    images = tuple(
        ImageRef(path.removeprefix(PATH_ROOT), _known(row.get(f"image_{n}_shot_type")))
        for n in (1, 2, 3)
        if (path := (row.get(f"image_{n}_path") or "").strip())
    )
    if not images:
        raise _BadRowError("no image")
    return Case(
        case_id=case_id,
        source=row.get("source", ""),
        release=row.get("release", ""),
        age_group=_known(row.get("age_group")),
        sex=_known(row.get("sex_at_birth")),
        patient_id=_known(row.get(PATIENT_COLUMN)),
        body_parts=tuple(k.removeprefix(_BODY_PART) for k, v in row.items() if k.startswith(_BODY_PART) and v == "YES"),
        images=images,
        label=_label(label),
        fitzpatrick_self=_known(row.get("fitzpatrick_skin_type")),
        fitzpatrick_labels=tuple(_present(label, "dermatologist_fitzpatrick_skin_type_label")),
        monk_india=_monk(label.get("monk_skin_tone_label_india")),
        monk_us=_monk(label.get("monk_skin_tone_label_us")),
    )


def _is_whole(row: Mapping[str, str]) -> bool:
    """Whether a row has exactly the columns of the header. csv marks surplus and missing cells with None."""
    return None not in row and None not in row.values()


def _label(row: Mapping[str, str]) -> Label:
    conditions = _literal(row.get("dermatologist_skin_condition_on_label_name"), list)
    weights = _literal(row.get("weighted_skin_condition_label"), dict)
    grades = _present(row, "dermatologist_gradable_for_skin_condition")
    return Label(
        conditions=tuple(str(name) for name in conditions),
        weights={str(name): _weight(value) for name, value in weights.items()},
        dermatologists=sum(grade.startswith("DEFAULT_YES") for grade in grades),
    )


def _weight(value: object) -> float:
    try:
        weight = float(str(value))
    except ValueError:
        weight = math.nan
    if not 0 < weight < math.inf:
        raise _BadRowError("label values are not numbers")
    return weight


def _literal(text: str | None, kind: type[_T]) -> _T:
    if not text:
        return kind()
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise _BadRowError("label is not a Python literal") from error
    if not isinstance(value, kind):
        raise _BadRowError(f"label is not a {kind.__name__}")
    return value


def _present(row: Mapping[str, str], stem: str) -> list[str]:
    return [value for n in (1, 2, 3) if (value := (row.get(f"{stem}_{n}") or "").strip())]


def _known(value: str | None) -> str | None:
    return None if value is None or value.strip() in _UNKNOWN else value.strip()


def _monk(value: str | None) -> int | None:
    try:
        tone = int(float(value or ""))
    except (ValueError, OverflowError):
        return None
    return tone if 1 <= tone <= 10 else None


@cache
def icd_10_codes() -> Mapping[str, str]:
    """Condition name → ICD-10-CM code, for names with an unambiguous code. Names that differ in capitals only are one.

    SCIN has no codes; ``icd10.csv`` was written for this project.
    """
    with Path(__file__).with_name("icd10.csv").open(encoding="utf-8", newline="") as file:
        return {row["name"]: row["icd_10"] for row in csv.DictReader(file)}


@cache
def _by_folded_name() -> Mapping[str, str]:
    return {name.casefold(): code for name, code in icd_10_codes().items()}


def icd_10(name: str) -> str | None:
    """The ICD-10-CM code of a condition, in whatever capitals it is written. None if there is no unambiguous code."""
    return _by_folded_name().get(name.casefold())
