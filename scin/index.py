"""The similarity index: FAISS over embeddings, and the cases behind them. The only file that imports faiss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np

from ml.errors import ArtifactError
from ml.values import IndexInfo, Retrieval, SimilarCase, Vectors
from scin.manifest import Manifest, read_manifest, verify_files
from scin.table import CASES_TABLE, THUMBNAILS, StoredCase, Thumbnails, read_cases
from scin.vote import vote

INDEX_FILE = "index.faiss"
TRANSFORMS = ("centre", "l2-normalise")
METRIC = "inner product"
VERSION = str(faiss.__version__)


def write_index(folder: Path, vectors: Vectors) -> None:
    """Write an exact cosine index of ``vectors`` (n, dimension), centred on their mean. Row i gets id i."""
    dimension = vectors.shape[1]
    index = faiss.IndexPreTransform(faiss.IndexFlatIP(dimension))
    # prepend_transform puts the later step first, so the chain reads centre → normalise → compare.
    index.prepend_transform(faiss.NormalizationTransform(dimension, 2.0))
    index.prepend_transform(faiss.CenteringTransform(dimension))
    index.train(vectors)
    index.add(vectors)
    faiss.write_index(index, str(folder / INDEX_FILE))


def load_index(folder: Path, *, encoder_fingerprint: str, dimension: int) -> SearchIndex:
    """Verify and memory-map an index.

    Raises ArtifactError, in one line, if a file is missing or altered, or if the index was not made by the encoder
    with this fingerprint and dimension.
    """
    manifest = read_manifest(folder)
    check_encoder(folder, manifest, encoder_fingerprint, dimension)
    verify_files(folder, manifest)
    try:
        index = faiss.read_index(str(folder / INDEX_FILE), faiss.IO_FLAG_MMAP_IFC)
        cases = read_cases(folder)
        thumbnails = Thumbnails(folder / THUMBNAILS)
    except (RuntimeError, OSError, ValueError) as error:
        raise ArtifactError(f"The index in {folder} cannot be read. Build it again.") from error
    if (index.d, index.ntotal) != (manifest.dimension, manifest.vectors) or len(cases) != manifest.cases:
        raise ArtifactError(f"{folder / INDEX_FILE} does not hold what its manifest says. Build the index again.")
    return SearchIndex(manifest, index, cases, thumbnails)


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
        self, manifest: Manifest, index: faiss.Index, cases: Sequence[StoredCase], thumbnails: Thumbnails
    ) -> None:
        self.manifest = manifest
        self._index = index
        self._cases = cases
        self._thumbnails = thumbnails
        self._by_id = {case.case_id: case for case in cases}
        self._owners = _owners(cases, manifest.vectors)
        self._photos_per_case = max((len(case.photos) for case in cases), default=1)

    version = VERSION

    @property
    def info(self) -> IndexInfo:
        m = self.manifest
        return IndexInfo(m.name, m.dataset, m.synthetic, m.cases, m.images, m.dimension, m.built_at, m.attribution)

    def search(self, views: Vectors, k: int) -> Retrieval:
        """``views``: (n, dimension) embeddings of one case's photos.

        A stored case scores by its best pair of views. Exact: a case among the best has fewer than ``wanted`` better
        ones, so its best photo is among the first wanted × photos-per-case of some view.
        """
        wanted = max(k, self.manifest.vote.neighbours)
        depth = min(self.manifest.vectors, wanted * self._photos_per_case)
        similarities, rows = self._index.search(np.ascontiguousarray(views, dtype=np.float32), depth)
        best: dict[int, float] = {}
        for similarity, row in zip(similarities.ravel(), rows.ravel(), strict=True):
            for owner in self._owners[row] if row >= 0 else ():
                best[owner] = max(float(similarity), best.get(owner, -1.0))
        ranked = sorted(best, key=lambda owner: (-best[owner], self._cases[owner].case_id))[:wanted]
        neighbours = tuple(_similar(self._cases[owner], best[owner]) for owner in ranked)
        return Retrieval(neighbours[:k], vote(neighbours, self.manifest.vote))

    def thumbnail(self, case_id: str, n: int) -> bytes | None:
        """The WebP thumbnail of photo ``n`` (from 0) of a case, or None if there is no such photo."""
        case = self._by_id.get(case_id)
        if case is None or not 0 <= n < len(case.photos):
            return None
        return self._thumbnails.read(case.photos[n])


def _owners(cases: Sequence[StoredCase], vectors: int) -> list[tuple[int, ...]]:
    owners: list[tuple[int, ...]] = [()] * vectors
    for number, case in enumerate(cases):
        for photo in case.photos:
            if not 0 <= photo.vector < vectors:
                raise ArtifactError(f"{CASES_TABLE} names a vector that the index does not hold. Build it again.")
            owners[photo.vector] = (*owners[photo.vector], number)
    return owners


def _similar(case: StoredCase, similarity: float) -> SimilarCase:
    return SimilarCase(
        case_id=case.case_id,
        similarity=max(-1.0, min(1.0, similarity)),
        thumbnails=tuple(f"/api/cases/{case.case_id}/{n}" for n in range(len(case.photos))),
        differential=case.differential,
        dermatologists={"count": case.dermatologists, "agreement": case.agreement},
        fitzpatrick={"self_reported": case.fitzpatrick_self, "dermatologists": list(case.fitzpatrick_labels)},
        monk={"india": case.monk_india, "us": case.monk_us},
        body_parts=case.body_parts,
        age_group=case.age_group,
        sex=case.sex,
    )
