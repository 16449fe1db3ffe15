"""The similarity index: FAISS over embeddings, and the cases behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from ml.analysis.scores import Population
from ml.errors import ArtifactError
from ml.values import IndexInfo, Retrieval, SimilarCase, Vectors
from scin.assessing import Assessor
from scin.calibration import CALIBRATION_FILE, Calibration, read_calibration
from scin.case_table import CaseTable
from scin.embeddings import read_embeddings
from scin.manifest import Manifest, Structure, read_manifest, verify_files
from scin.owners import Owners
from scin.population import read_population
from scin.structure import arrange, moved, parameters
from scin.table import THUMBNAILS, StoredCase, Thumbnails
from scin.transform import Transform, TransformSpec, fit_transforms
from scin.vote import Ballot, Tally, Voter

INDEX_FILE = "index.faiss"
METRIC = "inner product"
VERSION = str(faiss.__version__)
#: cases whose answer is kept, the latest asked for
_KEPT = 16_384


def write_index(folder: Path, vectors: Vectors, transform: Transform | None = None, kind: str = "flat") -> Structure:
    """Write a cosine index of ``vectors`` (n, dimension); row i gets id i. ``vectors`` may be mapped from a file.

    ``transform`` is applied to them and to every query (None: they are centred on their mean). ``kind`` is one of
    scin.manifest.KINDS, or "auto". Returns how it was arranged, for the manifest.
    """
    fitted = transform or fit_transforms([TransformSpec()], vectors)[0]
    index, structure = arrange(vectors, fitted, kind)
    faiss.write_index(index, str(folder / INDEX_FILE))
    return structure


def load_index(folder: Path, *, encoder_fingerprint: str, dimension: int, mmap: bool = True) -> SearchIndex:
    """Verify and load an index. With ``mmap`` its vectors are the file's own pages, which all processes share.

    Raises ArtifactError, in one line, if a file is missing or altered, or if the index was not made by the encoder
    with this fingerprint and dimension.
    """
    manifest = read_manifest(folder)
    check_encoder(folder, manifest, encoder_fingerprint, dimension)
    verify_files(folder, manifest)
    try:
        index = faiss.read_index(str(folder / INDEX_FILE), faiss.IO_FLAG_MMAP_IFC if mmap else 0)
        cases = CaseTable(folder)
        thumbnails = Thumbnails(folder / THUMBNAILS)
    except (RuntimeError, OSError, ValueError) as error:
        raise ArtifactError(f"The index in {folder} cannot be read. Build it again.") from error
    if (index.d, index.ntotal) != (manifest.dimension, manifest.vectors) or len(cases) != manifest.cases:
        raise ArtifactError(f"{folder / INDEX_FILE} does not hold what its manifest says. Build the index again.")
    return SearchIndex(
        manifest,
        index,
        cases,
        thumbnails,
        read_population(folder, manifest.files),
        calibration=read_calibration(folder) if CALIBRATION_FILE in manifest.files else None,
        folder=folder,
    )


def check_encoder(folder: Path, manifest: Manifest, fingerprint: str, dimension: int) -> None:
    """Raises ArtifactError if vectors of this encoder cannot be compared with the index's."""
    if manifest.dimension != dimension:
        raise ArtifactError(
            f"The index in {folder} has {manifest.dimension} dimensions, the encoder {dimension}. "
            "Build the index again with this encoder, or choose the encoder that it names: " + manifest.encoder
        )
    if manifest.encoder_fingerprint != fingerprint:
        raise ArtifactError(
            f"The index in {folder} was built with another encoder ({manifest.encoder} "
            f"{manifest.encoder_version}, or other weights). Build it again with this one."
        )


class SearchIndex:
    """A loaded index; a ``ml.values.Searcher``. Safe to use from several threads."""

    def __init__(
        self,
        manifest: Manifest,
        index: faiss.Index,
        cases: CaseTable,
        thumbnails: Thumbnails,
        population: Population | None = None,
        *,
        calibration: Calibration | None,
        folder: Path,
    ) -> None:
        self.manifest = manifest
        self._folder = folder
        self._index = index
        self._parameters = parameters(manifest.structure)
        self._cases = cases
        self._thumbnails = thumbnails
        self._population = population
        self._assessor = None if calibration is None else Assessor(calibration, manifest.dataset)
        self._owners = Owners(cases, manifest.vectors)
        self._ballot = lru_cache(_KEPT)(self._read_ballot)
        self._told = lru_cache(_KEPT)(self._read_told)

    version = VERSION

    @property
    def info(self) -> IndexInfo:
        m = self.manifest
        return IndexInfo(m.name, m.dataset, m.synthetic, m.cases, m.images, m.dimension, m.built_at, m.attribution)

    @property
    def population(self) -> Population | None:
        """What scores are told by: None of generated skin, among which no person has a place."""
        return None if self.manifest.synthetic else self._population

    def search(self, views: Vectors, k: int) -> Retrieval:
        """``views``: (n, dimension) embeddings of one case's photos. The nearest vote, however few are asked for."""
        parameters = self.manifest.vote
        nearest = self.nearest(views, max(k, parameters.neighbours))
        tally = Tally([Voter(self._ballot(case), similarity) for case, similarity in nearest], parameters)
        cases = tuple(SimilarCase(similarity=similarity, **self._told(case)) for case, similarity in nearest[:k])
        if self._assessor is None:
            return Retrieval(cases, tally.conditions())
        asked = [similarity for _, similarity in nearest[: parameters.neighbours]]
        assessment = self._assessor.assess(tally.shares, asked)
        return Retrieval(cases, tally.conditions(assessment.probabilities), assessment)

    def nearest(self, views: Vectors, most: int) -> list[tuple[int, float]]:
        """(row of the case, cosine) of the nearest cases, by each case's best pair of views, the nearest first.

        With a flat index this is exact: a case among the best has fewer than ``most`` better ones, so its best photo is
        among the first ``depth`` of some view. The other kinds miss a case as often as they miss a photo: the
        manifest's structure holds what was measured.
        """
        queries = np.ascontiguousarray(views, dtype=np.float32)
        found, vectors = self._index.search(queries, self.depth(most), params=self._parameters)
        return self._owners.nearest(found, vectors, most)

    def depth(self, most: int) -> int:
        """How many photos it takes of each view to know so many cases."""
        return min(self.manifest.vectors, most * self._owners.photos_per_case)

    def similarities(self, views: Vectors, case_ids: Sequence[str]) -> NDArray[np.float32]:
        """(n, cases): the cosine of each view (n, dimension) with the best photo of each case, exactly, whatever the
        kind of the index. Raises ArtifactError if the index was built without its embeddings."""
        photos = [[photo.vector for photo in self._cases.photos(case_id)] for case_id in case_ids]
        stored = read_embeddings(self._folder)
        asked = moved(self._index, views)
        best = [(asked @ moved(self._index, stored[own]).T).max(axis=1) for own in photos]
        return np.stack(best, axis=1)

    def thumbnail(self, case_id: str, n: int) -> bytes | None:
        """The WebP thumbnail of photo ``n`` (from 0) of a case, or None if there is no such photo."""
        photos = self._cases.photos(case_id)
        return self._thumbnails.read(photos[n]) if 0 <= n < len(photos) else None

    def _read_ballot(self, row: int) -> Ballot:
        cases = self._cases
        return Ballot.of(cases.ids[row], cases.cell(row, "differential"), cases.cell(row, "agreement"))

    def _read_told(self, row: int) -> Mapping[str, Any]:
        return _told(self._cases.case(row))


def _told(case: StoredCase) -> dict[str, Any]:
    """All of a SimilarCase but its similarity."""
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
