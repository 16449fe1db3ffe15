"""Which parts of a photo a score depends on: they are blurred away one by one (Zeiler and Fergus 2014).

What is taken away is replaced by a blurred copy of the photo: a grey square would be something that no model has seen,
and its edges an answer of their own (Fong and Vedaldi 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.values import RGB, Mask

Floats = NDArray[np.float32]
#: photos (n) → (n,) scores of 0 or more
Score = Callable[[Sequence[RGB]], Floats]

GRID = 8  # cells along each side of the heat map
_PATCH = 2  # cells along each side of what is blurred at once, in steps of one cell
_BATCH = 7  # photos that are scored together
_BLUR = 0.08  # standard deviation of the blur, as a share of the photo's long side
#: the part of the photo that is taken away to check the heat map
DELETED = 0.2
_ELSEWHERE = 4  # how often the same shape is taken away elsewhere
_LEAST_SCORE = 1e-3  # a score that is nothing cannot fall
_SEED = 20240601


@dataclass(frozen=True, eq=False)
class HeatMap:
    """``importance`` (GRID, GRID), 0–1: how much the score falls where a cell is blurred, the most important 1.

    ``deletion_score`` 0–1: the share of the score that goes with the most important DELETED of the photo, minus the
    mean share that goes with the same shape elsewhere; 0 is no better than chance, None where the score was nothing.
    """

    importance: Floats
    deletion_score: float | None


def heat_map(photo: RGB, score: Score) -> HeatMap:
    """Explain ``score`` of ``photo`` (H, W, 3) by 55 runs of it. Raises what ``score`` does."""
    blurred = cv2.GaussianBlur(photo, (0, 0), max(1.0, _BLUR * max(photo.shape[:2])))

    def without(cells: Mask) -> RGB:
        return np.where(_to_pixels(cells, photo)[..., None], blurred, photo)

    patches = list(_patches())
    scores = _scores(score, [np.zeros((GRID, GRID), np.bool_), *patches], without)
    whole, drops = float(scores[0]), np.maximum(scores[0] - scores[1:], 0.0)
    covered = np.array(patches, np.float32)
    importance = np.tensordot(drops, covered, axes=1) / covered.sum(axis=0)
    most = float(importance.max())
    found = np.asarray(importance / most if most > 0 else importance, np.float32)
    if whole < _LEAST_SCORE:
        return HeatMap(found, None)
    left = _scores(score, [_most_important(found), *_moved(_most_important(found))], without)
    gone = 1.0 - left / whole
    return HeatMap(found, float(np.clip(gone[0] - gone[1:].mean(), 0.0, 1.0)))


def _scores(score: Score, taken: Sequence[Mask], without: Callable[[Mask], RGB]) -> Floats:
    """(n,), a batch at a time: so many copies of the photo are never held at once."""
    batches = [taken[start : start + _BATCH] for start in range(0, len(taken), _BATCH)]
    return np.concatenate([score([without(cells) for cells in batch]) for batch in batches])


def _patches() -> Iterator[Mask]:
    for row in range(GRID - _PATCH + 1):
        for column in range(GRID - _PATCH + 1):
            cells = np.zeros((GRID, GRID), np.bool_)
            cells[row : row + _PATCH, column : column + _PATCH] = True
            yield cells


def _most_important(importance: Floats) -> Mask:
    order = np.argsort(-importance.ravel(), kind="stable")[: round(DELETED * GRID * GRID)]
    cells = np.zeros(GRID * GRID, np.bool_)
    cells[order] = True
    return cells.reshape(GRID, GRID)


def _moved(cells: Mask) -> list[Mask]:
    """The same shape elsewhere, around the edges where need be; always the same places."""
    rng = np.random.default_rng(_SEED)
    steps = rng.choice(np.arange(1, GRID * GRID), _ELSEWHERE, replace=False)
    return [np.roll(cells, divmod(int(step), GRID), axis=(0, 1)) for step in steps]


def _to_pixels(cells: Mask, photo: RGB) -> Mask:
    size = (photo.shape[1], photo.shape[0])
    return np.asarray(cv2.resize(cells.view(np.uint8), size, interpolation=cv2.INTER_NEAREST), np.bool_)
