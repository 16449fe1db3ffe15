"""The protocol of a published figure, for comparison: a random split of *images*, on which a case can be on both sides.

Google's notebook for Derm Foundation on SCIN reports .836 macro AUROC over the ten commonest conditions for logistic
regression and .854 for a small neural network. The same protocol with whole cases shows what the leak is worth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scin.evaluation import metrics
from scin.evaluation.bootstrap import Bootstrap, Figure
from scin.evaluation.cases import Ints, LabelledCases

PUBLISHED = {"Derm Foundation + logistic regression": 0.836, "Derm Foundation + neural network": 0.854}
_TESTED = 0.2
_STRENGTH = 0.01


@dataclass(frozen=True)
class ImageSplit:
    """Macro AUROC of the probe; ``shared_cases`` counts the cases with photos on both sides."""

    macro_auroc: Figure
    conditions: tuple[str, ...]
    training_images: int
    tested_images: int
    shared_cases: int


def image_split(cases: LabelledCases, bootstrap: Bootstrap, seed: int, *, grouped: bool) -> ImageSplit:
    """Split the images 80 to 20 at random, or, if ``grouped``, the groups of cases that share photos.

    One logistic regression a condition (scikit-learn's C = 0.01, dimensions standardised) tells whether the
    differential names it. The interval is over images, as the split is. A condition that does not occur on both sides
    is left out.
    """
    owner = np.repeat(np.arange(len(cases)), cases.photos_per_case)
    how = {"n_splits": 1, "test_size": _TESTED, "random_state": seed}
    splits = (
        GroupShuffleSplit(**how).split(owner, groups=cases.groups[owner])
        if grouped
        else ShuffleSplit(**how).split(owner)
    )
    training, tested = next(splits)
    named = cases.weights > 0
    conditions = np.array(
        [c for c in metrics.commonest(cases) if _both(named[owner[training], c]) and _both(named[owner[tested], c])],
        np.intp,
    )
    scores = np.zeros((len(tested), len(conditions)))
    for column, condition in enumerate(conditions):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=_STRENGTH, max_iter=300, tol=1e-3))
        model.fit(cases.vectors[cases.photos[training]], named[owner[training], condition])
        scores[:, column] = model.predict_proba(cases.vectors[cases.photos[tested]])[:, 1]
    truth = named[owner[tested]][:, conditions]
    figures = bootstrap.figures(
        "image split", len(tested), {metrics.AUROC: lambda counts: metrics.macro_auroc(scores, truth, counts)}
    )
    return ImageSplit(
        macro_auroc=figures[metrics.AUROC],
        conditions=tuple(cases.conditions[c] for c in conditions),
        training_images=len(training),
        tested_images=len(tested),
        shared_cases=len(np.intersect1d(owner[training], owner[tested])),
    )


def _both(present: Ints) -> bool:
    return bool(present.any() and not present.all())
