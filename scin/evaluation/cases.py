"""The labelled cases of an index as arrays: embeddings, dermatologists' weights, and who belongs together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from ml.values import Vectors
from scin.evaluation.tones import tone_groups
from scin.index.cases import StoredCase
from scin.index.vote import NOT_CONDITIONS

#: photos whose raw embeddings have at least this cosine are taken for one photo saved twice
SAME_PHOTO = 0.9999
_BLOCK = 2048

Ints = NDArray[np.intp]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LabelledCases:
    """n cases in the order of their ids, with all in all P photos and C conditions (in alphabetical order).

    ``vectors`` (V, dimension), one for each different photo, are the encoder's, as yet untransformed. ``photos`` (P,)
    names each photo's row in it, case after case, and ``starts`` (n,) where each case's photos begin. ``weights``
    (n, C) sum to 1 in each row; ``leading`` (n, C) marks the condition that weighs most, or all of them where several
    weigh the same; ``top`` (n,) is the first of these in the dataset's order. Cases with the same number in ``groups``
    share a photo. ``tones`` maps a scale of skin tones to each case's group on it ("" where it is unknown).
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
    tones: Mapping[str, NDArray[np.str_]]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def photos_per_case(self) -> Ints:
        return np.diff(self.starts, append=len(self.photos))

    @cached_property
    def first(self) -> Floats:
        """(n, C) the distribution of "the" leading condition: where several weigh the same, each has its part."""
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
            tones={scale: names[chosen] for scale, names in self.tones.items()},
        )


def labelled_cases(
    stored: Sequence[StoredCase], vectors: Vectors, most: int | None = None, seed: int = 0
) -> LabelledCases:
    """The cases of an index that name at least one condition, at most ``most`` of them drawn at random.

    ``vectors`` (V, dimension) are the encoder's; they may be mapped from a file, only those of the cases are read.
    """
    named = [(case, _conditions(case.differential)) for case in stored]
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
        tones=tone_groups(cases),
    )


def assemble(
    ids: Sequence[str],
    labels: Sequence[Mapping[str, float]],
    photos: Sequence[Sequence[int]],
    vectors: Vectors,
    *,
    tones: Mapping[str, NDArray[np.str_]],
    conditions: Sequence[str] = (),
) -> LabelledCases:
    """Cases of these labels (condition → weight) and photos (rows of ``vectors``); ``conditions`` adds more columns."""
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
        groups=_groups(np.repeat(np.arange(len(ids)), counts), same_photo(own)[own_rows]),
        tones=tones,
    )


def _conditions(differential: Mapping[str, float]) -> dict[str, float]:
    return {name: weight for name, weight in differential.items() if name not in NOT_CONDITIONS and weight > 0}


def same_photo(vectors: Vectors) -> Ints:
    """(V,) the number of the picture that each row shows: copies, exact or saved anew, have the same."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = [], []
    for start in range(0, len(unit), _BLOCK):
        near = np.argwhere(unit[start : start + _BLOCK] @ unit[start:].T >= SAME_PHOTO) + start
        first.append(near[:, 0])
        second.append(near[:, 1])
    pairs = (np.concatenate(first), np.concatenate(second))
    links = csr_matrix((np.ones(len(pairs[0]), np.int8), pairs), shape=(len(unit), len(unit)))
    return np.asarray(connected_components(links, directed=False)[1], np.intp)


def _groups(owners: Ints, pictures: Ints) -> Ints:
    """(n,) the connected part of the graph between cases and pictures in which each case lies."""
    cases, total = owners.max() + 1, owners.max() + 1 + pictures.max() + 1
    links = csr_matrix((np.ones(len(owners), np.int8), (owners, cases + pictures)), shape=(total, total))
    return np.asarray(connected_components(links, directed=False)[1][:cases], np.intp)
