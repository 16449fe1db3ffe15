"""Groups a source's photos into cases, and makes the rows of SCIN's tables from them.

The ids of cases, patients and photos are 64-bit numbers from a digest of the source's own id and of a photo. Nobody who
lacks the photos can find a person by trying names or numbers, and the same input gives the same ids.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from scin.importing.facts_of_people import age_group, body_part, sex, skin_type
from scin.labelled_photos import LabelledPhoto
from scin.layout import CASE_COLUMNS, LABEL_COLUMNS, PATIENT_COLUMN, VIEWS, Row

#: the columns ``source`` and ``release``
SOURCE = RELEASE = "IMPORTED"
COLUMNS = (*CASE_COLUMNS, PATIENT_COLUMN)
MANY, CONFLICTING = "cases with more than three photos, split", "cases whose photos have different labels, split"
COPY = "copy of another photo of the case"

#: (the patient, the case) by the source's own ids
_Own = tuple[str, str]


@dataclass(frozen=True)
class KeptPhoto:
    """A photo of the dataset: the ``path`` in its tables, the sha256 of the original, and what the source says."""

    path: str
    digest: str
    stated: LabelledPhoto


@dataclass(frozen=True)
class Tables:
    """The rows of both tables. ``skipped``, ``notes``: reason → count."""

    cases: list[Row]
    labels: list[Row]
    photos: int
    skipped: Mapping[str, int]
    notes: Mapping[str, int]


@dataclass
class _Case:
    """The photos of one case that have the same label."""

    own: _Own
    label: str
    photos: list[KeptPhoto] = field(default_factory=list)


def number(*parts: str) -> str:
    """A signed 64-bit number, as text, made from a digest of the parts."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return str(int.from_bytes(digest[:8], "big", signed=True))


def make_tables(photos: Sequence[tuple[KeptPhoto, str]]) -> Tables:
    """The tables of ``photos`` (photo, name of its condition), in their order.

    A case of SCIN has one label and at most three photos. A larger case becomes several ones, and so does one whose
    photos have different labels. These have the same patient, so that they stay together.
    """
    cases, copies = _grouped(photos)
    labels = Counter(case.own for case in cases)
    split = {case.own for case in cases if len(case.photos) > len(VIEWS)}
    together = {own for own, count in labels.items() if count > 1} | split
    people = _people(cases, together)
    rows = [(case, part) for case in cases for part in _parts(case.photos)]
    numbered = [(number("case", *case.own, case.label, part[0].digest), case, part) for case, part in rows]
    notes = {MANY: len(split), CONFLICTING: sum(count > 1 for count in labels.values())}
    return Tables(
        [_case_row(case_id, part, people.get(_group(case.own, together), "")) for case_id, case, part in numbered],
        [_label_row(case_id, case.label, part) for case_id, case, part in numbered],
        sum(len(part) for _, part in rows),
        {COPY: copies} if copies else {},
        {note: count for note, count in notes.items() if count},
    )


def _grouped(photos: Sequence[tuple[KeptPhoto, str]]) -> tuple[list[_Case], int]:
    """The cases in the order of their first photos, and the number of photos that their case already has."""
    cases: dict[tuple[_Own, str], _Case] = {}
    seen: set[tuple[_Own, str, str]] = set()
    copies = 0
    for photo, label in photos:
        own = (photo.stated.patient, photo.stated.case or photo.stated.file)
        if (own, label, photo.digest) in seen:
            copies += 1
            continue
        seen.add((own, label, photo.digest))
        cases.setdefault((own, label), _Case(own, label)).photos.append(photo)
    return list(cases.values()), copies


def _group(own: _Own, together: set[_Own]) -> str:
    """The key of what keeps cases together: the patient, or the case if it was split; "" without either."""
    patient, case = own
    return f"patient {patient}" if patient else f"case {case}" if own in together else ""


def _people(cases: Sequence[_Case], together: set[_Own]) -> dict[str, str]:
    """Group → the number in the column of patients."""
    digests: dict[str, str] = {}
    for case in cases:
        if group := _group(case.own, together):
            first = min(photo.digest for photo in case.photos)
            digests[group] = min(first, digests.get(group, first))
    return {group: number(group, digest) for group, digest in digests.items()}


def _parts(photos: Sequence[KeptPhoto]) -> Iterator[Sequence[KeptPhoto]]:
    return (photos[start : start + len(VIEWS)] for start in range(0, len(photos), len(VIEWS)))


def _case_row(case_id: str, photos: Sequence[KeptPhoto], patient: str) -> Row:
    row = dict.fromkeys(COLUMNS, "") | {"case_id": case_id, "source": SOURCE, "release": RELEASE}
    row[PATIENT_COLUMN] = patient
    row["age_group"] = _first(age_group(photo.stated.age) for photo in photos)
    row["sex_at_birth"] = _first(sex(photo.stated.sex) for photo in photos)
    for part in {body_part(photo.stated.body_site) for photo in photos} - {""}:
        row[f"body_parts_{part}"] = "YES"
    for view, photo in zip(VIEWS, photos, strict=False):
        row[f"image_{view}_path"] = photo.path
    return row


def _label_row(case_id: str, label: str, photos: Sequence[KeptPhoto]) -> Row:
    """The label as the source states it. No dermatologist of SCIN has rated the case, so those columns stay empty."""
    row = dict.fromkeys(LABEL_COLUMNS, "") | {"case_id": case_id}
    row["dermatologist_skin_condition_on_label_name"] = repr([label])
    row["weighted_skin_condition_label"] = repr({label: 1.0})
    row["dermatologist_fitzpatrick_skin_type_label_1"] = _first(skin_type(photo.stated.skin_type) for photo in photos)
    return row


def _first(values: Iterator[str]) -> str:
    return next((value for value in values if value), "")


def count_labels(labels: Sequence[Row]) -> dict[str, int]:
    """Condition → cases, the commonest first."""
    found: defaultdict[str, int] = defaultdict(int)
    for row in labels:
        found[row["dermatologist_skin_condition_on_label_name"][2:-2]] += 1
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
