"""The labelled cases of an index as arrays, their skin tone groups, and folds that keep related cases together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold

from ml.analysis.decision import tone_group
from ml.errors import MLError, TooFewCasesError
from ml.values import Vectors
from scin.index.cases import StoredCase
from scin.index.vote import NOT_CONDITIONS

#: scales of skin tones: figures are reported for each group of each scale
FITZPATRICK_RATED, FITZPATRICK_SELF = "Fitzpatrick (dermatologists)", "Fitzpatrick (self-reported)"
#: calibration uses the groups of the recorded tones: an estimate from a photo without a reference is no measurement
MONK, MONK_GROUP = "Monk", "Monk group"
UNKNOWN = ""

#: two photos whose embeddings have at least this cosine count as copies of one picture
SAME_PHOTO = 0.9999
_BLOCK = 2048
#: the fold of cases that are never held out, only searched
SEEN = -1

Ints = NDArray[np.intp]
Floats = NDArray[np.float64]


class EvaluationError(MLError):
    """An index or a set of labelled photos cannot be evaluated. The message says why."""


class TooFewToEvaluateError(TooFewCasesError, EvaluationError):
    """With so few cases the nested folds are too small."""


@dataclass(frozen=True)
class LabelledCases:
    """n cases in the order of their ids, with P photos and C conditions in all (conditions in alphabetical order).

    - ``vectors`` (V, dimension): one embedding for each distinct photo.
    - ``photos`` (P,): the row in ``vectors`` of each photo, case after case; ``starts`` (n,): each case's first photo.
    - ``weights`` (n, C): the dermatologists' differentials; each row sums to 1.
    - ``leading`` (n, C): marks the condition with the largest weight, or all of them if several are equal.
    - ``top`` (n,): the first leading condition in the dataset's order.
    - ``groups`` (n,): cases with the same number share a photo or a patient.
    - ``seen`` (n,): the encoder was trained on the case, so it shows nothing about new cases.
    - ``tones``: scale of skin tones → (n,) each case's group, "" if it is unknown.
    """

    ids: tuple[str, ...]
    vectors: Vectors
    photos: Ints
    starts: Ints
    conditions: tuple[str, ...]
    weights: Floats
    leading: NDArray[np.bool_]
    top: Ints
    groups: Ints
    seen: NDArray[np.bool_]
    tones: Mapping[str, NDArray[np.str_]]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def unseen(self) -> NDArray[np.bool_]:
        """(n,) the cases whose whole group the encoder has not seen."""
        return ~np.isin(self.groups, self.groups[self.seen])

    @cached_property
    def photos_per_case(self) -> Ints:
        return np.diff(self.starts, append=len(self.photos))

    @cached_property
    def owners(self) -> Ints:
        """(P,) the case of each photo."""
        return np.repeat(np.arange(len(self)), self.photos_per_case)

    @cached_property
    def first(self) -> Floats:
        """(n, C) the leading condition as a distribution: conditions that lead together share it equally."""
        return np.asarray(self.leading / self.leading.sum(axis=1, keepdims=True), np.float64)

    @cached_property
    def sparse_weights(self) -> csr_matrix:
        return csr_matrix(self.weights)

    def take(self, chosen: Ints) -> LabelledCases:
        """Some of the cases, in the order of ``chosen``; conditions and vectors stay as they are."""
        counts = self.photos_per_case[chosen]
        photos = [self.photos[first : first + count] for first, count in zip(self.starts[chosen], counts, strict=True)]
        return replace(
            self,
            ids=tuple(self.ids[row] for row in chosen),
            photos=np.concatenate(photos) if photos else self.photos[:0],
            starts=np.cumsum(counts) - counts,
            weights=self.weights[chosen],
            leading=self.leading[chosen],
            top=self.top[chosen],
            groups=self.groups[chosen],
            seen=self.seen[chosen],
            tones={scale: names[chosen] for scale, names in self.tones.items()},
        )


def labelled_cases(
    stored: Sequence[StoredCase], vectors: Vectors, most: int | None = None, seed: int = 0
) -> LabelledCases:
    """The cases that name at least one condition; a random sample of ``most`` of them if there are more. Their
    ``conditions`` are those of all cases.

    ``vectors`` (V, dimension) are the encoder's embeddings. They may be a memory map: only the rows in use are read.
    """
    named = [(case, _conditions(case.differential)) for case in stored]
    conditions = {name for _, weights in named for name in weights}
    kept = sorted(((case, weights) for case, weights in named if weights), key=lambda pair: pair[0].case_id)
    if most is not None and len(kept) > most:
        drawn = np.random.default_rng(seed).choice(len(kept), most, replace=False)
        kept = [kept[row] for row in np.sort(drawn)]
    cases = [case for case, _ in kept]
    return assemble(
        [case.case_id for case in cases],
        [weights for _, weights in kept],
        [[photo.vector for photo in case.photos] for case in cases],
        vectors,
        tones=_tones(cases),
        conditions=sorted(conditions),
        patients=[case.patient_id for case in cases],
        seen=[case.seen for case in cases],
    )


def _conditions(differential: Mapping[str, float]) -> dict[str, float]:
    return {name: weight for name, weight in differential.items() if name not in NOT_CONDITIONS and weight > 0}


def assemble(
    ids: Sequence[str],
    labels: Sequence[Mapping[str, float]],
    photos: Sequence[Sequence[int]],
    vectors: Vectors,
    *,
    tones: Mapping[str, NDArray[np.str_]],
    conditions: Sequence[str] = (),
    patients: Sequence[str | None] = (),
    seen: Sequence[bool] = (),
) -> LabelledCases:
    """Make the arrays of cases with these labels (condition → weight) and photos (rows of ``vectors``).

    ``conditions`` adds conditions that no label names. ``patients``: each case's patient, or None if it is unknown.
    ``seen``: see LabelledCases; by default no case is.
    """
    names = tuple(sorted({*conditions, *(name for label in labels for name in label)}))
    column = {name: place for place, name in enumerate(names)}
    weights = np.zeros((len(ids), len(names)))
    for row, label in enumerate(labels):
        weights[row, [column[name] for name in label]] = list(label.values())
    counts = np.array([len(rows) for rows in photos], np.intp)
    used, own_rows = np.unique(np.concatenate([np.asarray(rows, np.intp) for rows in photos]), return_inverse=True)
    own = np.array(vectors[used], np.float32)
    return LabelledCases(
        ids=tuple(ids),
        vectors=own,
        photos=own_rows,
        starts=np.cumsum(counts) - counts,
        conditions=names,
        weights=weights / weights.sum(axis=1, keepdims=True),
        leading=weights == weights.max(axis=1, keepdims=True),
        top=np.array([column[max(label, key=lambda name: label[name])] for label in labels], np.intp),
        groups=_groups(np.repeat(np.arange(len(ids)), counts), own_rows, own, patients),
        seen=np.array(seen or [False] * len(ids), np.bool_),
        tones=tones,
    )


def _groups(owners: Ints, photos: Ints, vectors: Vectors, patients: Sequence[str | None]) -> Ints:
    """(n,) a number for each case; cases that are linked by shared or copied photos, or by their patient, have the same
    number."""
    cases, persons = int(owners.max()) + 1, _cases_of_persons(patients)
    first, second = _copies(vectors)
    ends = (
        np.concatenate([owners, cases + first, persons[:, 0]]),
        np.concatenate([cases + photos, cases + second, persons[:, 1]]),
    )
    total = cases + len(vectors)
    links = csr_matrix((np.ones(len(ends[0]), np.int8), ends), shape=(total, total))
    return np.asarray(connected_components(links, directed=False)[1][:cases], np.intp)


def _cases_of_persons(patients: Sequence[str | None]) -> Ints:
    """(m, 2) pairs of cases with the same patient: the patient's first case and each of the others."""
    first: dict[str, int] = {}
    named = [(case, patient) for case, patient in enumerate(patients) if patient is not None]
    return np.array([(first.setdefault(patient, case), case) for case, patient in named], np.intp).reshape(-1, 2)


def _copies(vectors: Vectors) -> tuple[Ints, Ints]:
    """Pairs of rows that show the same picture: the same file, or a copy that was saved again."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    near = [
        np.argwhere(unit[start : start + _BLOCK] @ unit[start:].T >= SAME_PHOTO) + start
        for start in range(0, len(unit), _BLOCK)
    ]
    pairs = np.concatenate(near)
    return pairs[:, 0], pairs[:, 1]


def _tones(cases: Sequence[StoredCase]) -> dict[str, NDArray[np.str_]]:
    """Scale → (n,) each case's group. Halves are rounded to the darker type, which is rarer.

    Fitzpatrick is the median of the dermatologists' estimates, and separately the contributor's own answer. Monk is the
    mean of the two raters' tones.
    """
    monk = [monk_tone(case.monk_india, case.monk_us) for case in cases]
    own_types = [() if case.fitzpatrick_self is None else (case.fitzpatrick_self,) for case in cases]
    return {
        FITZPATRICK_RATED: _numbered("Fitzpatrick", [_fitzpatrick(case.fitzpatrick_labels) for case in cases]),
        FITZPATRICK_SELF: _numbered("Fitzpatrick", [_fitzpatrick(labels) for labels in own_types]),
        MONK: _numbered("Monk", monk),
        MONK_GROUP: np.array([tone_group(tone) or UNKNOWN for tone in monk], np.str_),
    }


def monk_tone(*ratings: int | None) -> int | None:
    """The mean of the given tones (1–10), a half rounded up; None if there are none."""
    given = [rating for rating in ratings if rating is not None]
    return int(sum(given) / len(given) + 0.5) if given else None


def _fitzpatrick(labels: Sequence[str]) -> int | None:
    types = [int(label.removeprefix("FST")) for label in labels if label.removeprefix("FST").isdecimal()]
    return int(median(types) + 0.5) if types else None


def _numbered(scale: str, numbers: Sequence[int | None]) -> NDArray[np.str_]:
    return np.array([UNKNOWN if number is None else f"{scale} {number}" for number in numbers], np.str_)


def case_folds(cases: LabelledCases, folds: int, seed: int) -> Ints:
    """(n,) each case's fold, 0 … folds − 1; SEEN if the encoder was trained on a case of its group.

    The same seed gives the same folds. Cases of one group are in the same fold, and the leading conditions are spread
    evenly over the folds. Raises ValueError if there are fewer groups than folds.
    """
    fold = np.full(len(cases), SEEN, np.intp)
    unseen = cases.unseen
    fold[unseen] = grouped_folds(cases.top[unseen], cases.groups[unseen], folds, seed)
    return fold


def grouped_folds(labels: Ints, groups: Ints, folds: int, seed: int) -> Ints:
    """(n,) stratified folds of samples with these labels; every group is in one fold."""
    if len(np.unique(groups)) < folds:
        raise ValueError(f"{len(np.unique(groups))} groups cannot make {folds} folds")
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    fold = np.zeros(len(labels), np.intp)
    for number, (_, held_out) in enumerate(splitter.split(labels, _without_rare(labels, folds), groups)):
        fold[held_out] = number
    return fold


def _without_rare(labels: Ints, folds: int) -> Ints:
    """Merge the conditions with fewer cases than folds into one, because they cannot be spread over all folds."""
    counts = np.bincount(labels)
    rare = counts[labels] < folds
    # if all of them together are still too few, they join the commonest condition
    target = counts.argmax() if rare.sum() < folds else len(counts)
    return np.where(rare, target, labels)


def count_split(fold: Ints, *memberships: Sequence[int] | Ints) -> int:
    """Number of members (cases, photos, groups) that are in more than one fold. Anything but 0 is a leak."""
    split = 0
    for members in memberships:
        pairs = np.unique(np.stack([np.asarray(members), fold]), axis=1)
        split += int((np.unique(pairs[0], return_counts=True)[1] > 1).sum())
    return split
