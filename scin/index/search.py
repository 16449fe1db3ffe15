"""The loaded index: finds the nearest cases to a request's photos, and the conditions that they vote for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.analysis.scores import Population
from ml.errors import ArtifactError
from ml.values import IndexInfo, Retrieval, SimilarCase, Vectors
from scin.index.cases import CASES_TABLE, THUMBNAILS, CaseTable
from scin.index.head import Head, read_head
from scin.index.manifest import Manifest, check_encoder, read_manifest, verify_files
from scin.index.vectors import engine_of, index_file, read_embeddings
from scin.index.vote import (
    CALIBRATION_FILE,
    Ballot,
    Neighbour,
    Votes,
    is_possible,
    mixture,
    read_calibration,
    total_variation,
)
from scin.population import read_population

#: size of the caches of cases
_KEPT = 16_384
#: a condition without votes gets up to three cases as evidence, if need be from those of so many nearest photos
_EVIDENCE_CASES, _EVIDENCE_PHOTOS = 3, 100

#: (cosines, vectors) of the photos that were found, both (views, n), nearest first
Photos = tuple[NDArray[np.float32], NDArray[np.int64]]


def load_index(folder: Path, *, encoder_fingerprint: str, dimension: int, mmap: bool = True) -> SearchIndex:
    """Verify and load an index. With ``mmap``, the file of vectors is mapped, so that all processes share its memory.

    Raises ArtifactError, in one line, if a file is missing or changed, or if the index was not made with the encoder of
    this fingerprint and dimension.
    """
    manifest = read_manifest(folder)
    check_encoder(folder, manifest, encoder_fingerprint, dimension)
    verify_files(folder, manifest)
    try:
        return SearchIndex(folder, manifest, mmap=mmap)
    except (RuntimeError, OSError, ValueError) as error:
        raise ArtifactError(f"The index in {folder} cannot be read. Build it again.") from error


class SearchIndex:
    """A loaded index. Implements ``ml.values.Searcher``. Thread-safe."""

    def __init__(self, folder: Path, manifest: Manifest, *, mmap: bool) -> None:
        """Raises ArtifactError, RuntimeError, OSError or ValueError if the files are not a valid index."""
        engine, path = engine_of(manifest.structure.kind), folder / index_file(manifest.structure.kind)
        self.manifest = manifest
        self.version = engine.VERSION
        self._folder = folder
        self._vectors = engine.read(path, manifest.structure, mmap=mmap)
        self._cases = CaseTable(folder)
        counted = (self._vectors.dimension, self._vectors.count, len(self._cases))
        if counted != (manifest.dimension, manifest.vectors, manifest.cases):
            raise ArtifactError(f"{path} does not match its manifest. Build the index again.")
        self._thumbnails = np.memmap(folder / THUMBNAILS, np.uint8, "r")
        self._population = read_population(folder, manifest.files)
        self._calibration = read_calibration(folder) if CALIBRATION_FILE in manifest.files else None
        self._accuracy = self._calibration.cited(manifest.dataset) if self._calibration else {}
        self._head = self._read_head()
        self._owners = Owners(self._cases, manifest.vectors)
        self._ballot = lru_cache(_KEPT)(self._read_ballot)
        self._shown = lru_cache(_KEPT)(self._read_shown)

    @property
    def info(self) -> IndexInfo:
        m = self.manifest
        return IndexInfo(
            m.name,
            m.dataset,
            m.synthetic,
            m.cases,
            m.images,
            m.dimension,
            m.built_at,
            m.attribution,
            m.photo_kind,
            m.method,
        )

    @property
    def population(self) -> Population | None:
        """The population for scores. None for generated skin, because a percentile among generated photos says nothing
        about a person."""
        return None if self.manifest.synthetic else self._population

    def search(self, views: Vectors, k: int) -> Retrieval:
        """Find the ``k`` nearest cases, and the conditions they vote for. ``views``: (n, dimension) embeddings of one
        case's photos. ``k`` does not change which neighbours vote."""
        vote = self.manifest.vote
        most = max(k, vote.neighbours)
        photos = self._vectors.nearest(views, self.depth(most))
        nearest = self._owners.nearest(*photos, most)
        votes = Votes([Neighbour(self._ballot(case), similarity) for case, similarity in nearest], vote)
        cases = tuple(SimilarCase(similarity=similarity, **self._shown(case)) for case, similarity in nearest[:k])
        calibration = self._calibration
        if calibration is None:
            return Retrieval(cases, votes.conditions())
        similarities = [similarity for _, similarity in nearest[: vote.neighbours]]
        shares, agrees = calibration.row(votes.shares), True
        if self._head is not None:
            voted, learnt = shares, self._head.shares(views.mean(axis=0, keepdims=True) if len(views) > 1 else views)
            shares = mixture(voted, learnt, self.manifest.head_weight)
            limit = calibration.disagreement
            agrees = limit is None or bool(total_variation(voted, learnt)[0] <= limit)
        assessment = calibration.assess(shares, similarities, self._accuracy, head_agrees=agrees)
        listed = calibration.listed(shares, assessment.probabilities, votes.shares)
        bare = [name for name in listed if name not in votes.shares and is_possible(assessment.probabilities[name])]
        evidence = self._evidence(bare, photos, views) if bare else {}
        return Retrieval(cases, votes.conditions(listed, assessment.probabilities, evidence), assessment)

    def _read_head(self) -> Head | None:
        """The head with its columns in the order of the calibration's, if the manifest says that there is one."""
        if not self.manifest.head_weight:
            return None
        if self._calibration is None:
            raise ArtifactError(f"{self._folder} has a head without a calibration. Build the index again.")
        return read_head(self._folder, self.manifest.dimension).of(self._calibration.conditions)

    def _evidence(self, conditions: Sequence[str], photos: Photos, views: Vectors) -> dict[str, list[str]]:
        """Condition → the most similar cases that hold it, for conditions that only the head has found. If the photos
        at hand are of no such case, more are found."""
        holders = self._holders(conditions, photos)
        if all(holders.values()):
            return holders
        return self._holders(conditions, self._vectors.nearest(views, min(self.manifest.vectors, _EVIDENCE_PHOTOS)))

    def _holders(self, conditions: Sequence[str], photos: Photos) -> dict[str, list[str]]:
        holders: dict[str, list[str]] = {name: [] for name in conditions}
        missing = _EVIDENCE_CASES * len(conditions)
        for case, _ in self._owners.nearest(*photos, photos[0].size):
            ballot = self._ballot(case)
            for name, _ in ballot.parts:
                if name in holders and len(holders[name]) < _EVIDENCE_CASES:
                    holders[name].append(ballot.case_id)
                    missing -= 1
            if not missing:
                break
        return holders

    def nearest(self, views: Vectors, most: int) -> list[tuple[int, float]]:
        """(row, cosine) of the ``most`` nearest cases, nearest first. Two cases are as similar as their best pair of
        photos.

        With a flat index the result is exact, because ``depth`` photos per view are enough. An approximate index may
        miss a case; see the manifest's recall.
        """
        cosines, vectors = self._vectors.nearest(views, self.depth(most))
        return self._owners.nearest(cosines, vectors, most)

    def depth(self, most: int) -> int:
        """Number of photos to find for each view, so that they include all ``most`` nearest cases."""
        return min(self.manifest.vectors, most * self._owners.photos_per_case)

    def similarities(self, views: Vectors, case_ids: Sequence[str]) -> NDArray[np.float32]:
        """(n, cases): the cosine of each view (n, dimension) and the most similar photo of each case. Exact for every
        kind of index. Raises ArtifactError if the index was built without embeddings."""
        rows = [[photo.vector for photo in self._cases.photos(case_id)] for case_id in case_ids]
        stored = read_embeddings(self._folder)
        queries = self._vectors.transform(views)
        best = [(queries @ self._vectors.transform(stored[own]).T).max(axis=1) for own in rows]
        return np.stack(best, axis=1)

    def thumbnail(self, case_id: str, n: int) -> bytes | None:
        """The WebP thumbnail of photo ``n`` (from 0) of a case, or None if there is no such photo."""
        photos = self._cases.photos(case_id)
        if not 0 <= n < len(photos):
            return None
        start = photos[n].offset
        return self._thumbnails[start : start + photos[n].length].tobytes()

    def _read_ballot(self, row: int) -> Ballot:
        case_id, differential, agreement = (
            self._cases.value(row, column) for column in ("case_id", "differential", "agreement")
        )
        return Ballot.of(case_id, dict(differential), agreement)

    def _read_shown(self, row: int) -> dict[str, Any]:
        """All fields of a SimilarCase except its similarity."""
        case = self._cases.case(row)
        return {
            "case_id": case.case_id,
            "thumbnails": tuple(f"/api/cases/{case.case_id}/{n}" for n in range(len(case.photos))),
            "differential": case.differential,
            "dermatologists": {"count": case.dermatologists, "agreement": case.agreement},
            "fitzpatrick": {"self_reported": case.fitzpatrick_self, "dermatologists": list(case.fitzpatrick_labels)},
            "monk": {"india": case.monk_india, "us": case.monk_us},
            "body_parts": case.body_parts,
            "age_group": case.age_group,
            "sex": case.sex,
        }


class Owners:
    """Maps each vector to its cases, in arrays."""

    def __init__(self, cases: CaseTable, vectors: int) -> None:
        """Raises ArtifactError if a case refers to a vector that is not in the index."""
        named, rows = cases.owners()
        if len(named) and (named.min() < 0 or named.max() >= vectors):
            raise ArtifactError(f"{CASES_TABLE} refers to a vector that is not in the index. Build the index again.")
        #: the cases of vector v are _cases[_starts[v] : _starts[v + 1]]
        self._cases = rows[np.argsort(named, kind="stable")].astype(np.int32)
        self._starts = np.append(0, np.cumsum(np.bincount(named, minlength=vectors)))
        self._ranks = cases.ranks()
        self.photos_per_case = int(np.bincount(rows, minlength=1).max())

    def nearest(self, cosines: NDArray[np.float32], vectors: NDArray[np.int64], most: int) -> list[tuple[int, float]]:
        """(case, cosine) of at most ``most`` cases, most similar first; ties in the order of their ids.

        ``cosines`` and ``vectors`` have the same shape: one row for each view, nearest first. A vector of −1 means
        none. A case gets the cosine of its nearest photo.
        """
        photos = zip(vectors.ravel().tolist(), cosines.ravel().tolist(), strict=True)
        best: dict[int, float] = {}
        least = 1.0
        for vector, cosine in photos if len(cosines) == 1 else sorted(photos, key=lambda photo: -photo[1]):
            if cosine < least and len(best) >= most:
                break
            least = cosine
            for case in self._of(vector):
                best.setdefault(case, cosine)
        ranked = sorted(best, key=lambda case: (-best[case], self._ranks.item(case)))[:most]
        return [(case, max(-1.0, min(1.0, best[case]))) for case in ranked]

    def _of(self, vector: int) -> Iterator[int]:
        """The cases of a vector. None for −1: the range then starts at the end of the array and ends at 0."""
        return map(self._cases.item, range(self._starts.item(vector), self._starts.item(vector + 1)))
