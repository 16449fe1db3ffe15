"""The labelled cases, and their three parts: learnt, for stopping early, and held out. No patient is in two parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml.values import Vectors
from scin.dataset import Case
from scin.evaluate.cases import EvaluationError, Ints, LabelledCases, grouped_folds, labelled_cases
from scin.evaluate.fit import INNER_FOLDS
from scin.index.cases import StoredCase, StoredPhoto
from scin.train.photos import PhotoSet, TooFewToLearnError, TrainError

#: with fewer, the held-out part shows nothing
LEAST_CASES = 100
_HELD_OUT_FOLDS = 6
#: a twelfth of the cases that are not held out stop the training early; more of a small dataset, because these cases
#: also choose how the encoder is asked, and need this many patients for it
_PARTS, _PATIENTS = 12, 2 * INNER_FOLDS


@dataclass(frozen=True, eq=False)
class Parts:
    """Rows of the cases that are learnt, that stop the training early, and that are held out."""

    learnt: Ints
    inner: Ints
    held_out: Ints

    @property
    def seen(self) -> Ints:
        """The cases that are not held out."""
        return np.sort(np.concatenate([self.learnt, self.inner]))


def assembled(cases: Sequence[Case], photos: PhotoSet, vectors: Vectors) -> LabelledCases:
    """The cases with a readable photo. ``vectors`` (P, 512) belong to the rows of ``photos``.

    Raises TooFewToLearnError if there are too few cases, patients or conditions.
    """
    stored = []
    for case in cases:
        rows = [photos.rows[image.path] for image in case.images if image.path in photos.rows]
        if rows:
            stored.append(StoredCase.of(case, [StoredPhoto(row, 0, 0, None) for row in dict.fromkeys(rows)]))
    if len(stored) < LEAST_CASES:
        raise TooFewToLearnError(
            f"The dataset has {len(stored)} labelled cases with a readable photo. Training needs {LEAST_CASES}: "
            "the encoder stays as it is."
        )
    try:
        found = labelled_cases(stored, vectors)
    except EvaluationError as error:
        raise TrainError(error.message) from error
    if len(np.unique(found.top)) < 2:
        raise TooFewToLearnError(
            f"All cases have one condition, {found.conditions[found.top[0]]}: there is nothing to tell apart."
        )
    if len(np.unique(found.groups)) < LEAST_CASES // 2:
        raise TooFewToLearnError(
            f"The cases belong to {len(np.unique(found.groups))} patients only. Training needs {LEAST_CASES // 2}."
        )
    return found


def split(cases: LabelledCases, seed: int) -> Parts:
    """Draw the parts. The same seed gives the same parts; conditions are spread evenly over them."""
    outer = grouped_folds(cases.top, cases.groups, _HELD_OUT_FOLDS, seed)
    kept = np.flatnonzero(outer != 0)
    groups = cases.groups[kept]
    fold = grouped_folds(cases.top[kept], groups, min(_PARTS, len(np.unique(groups)) // _PATIENTS), seed)
    return Parts(learnt=kept[fold != 0], inner=kept[fold == 0], held_out=np.flatnonzero(outer == 0))
