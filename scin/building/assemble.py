"""Shards → the files of an index. Photos pass one by one; nothing but their places is held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ml.models.encoder import Encoder
from ml.values import Vector
from scin.attribution import attribution
from scin.building.photos import UNREADABLE, Row
from scin.building.shards import BuildError, Shard, ShardFolder
from scin.dataset import Dataset
from scin.embeddings import EMBEDDINGS, read_embeddings, spread, write_embeddings
from scin.index import INDEX_FILE, METRIC, write_index
from scin.manifest import FORMAT, MEASURES, Manifest, Structure, Vote, write_manifest
from scin.population import POPULATION
from scin.records import Case
from scin.table import CASES_TABLE, THUMBNAILS, StoredCase, StoredPhoto, write_cases
from scin.transform import Transform, TransformSpec, fit_transforms
from storage.base import sha256_file

#: vectors a dimension from which components are trusted. By the law of Marchenko and Pastur the variances of pure noise
#: then spread from (1 − √0.1)² = 0.47 to (1 + √0.1)² = 1.73: to the power −¼ that is a factor of 0.87 to 1.21
WHITEN_FROM = 10
#: vectors that a transform is fitted to
_FITTED_MOST = 32_768


@dataclass
class _Photos:
    """Where each photo's vector and thumbnail are. One that occurs twice, under any name, has them once."""

    by_digest: dict[str, StoredPhoto] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    monk: dict[str, int | None] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)

    def unpack(self, rows: Iterable[Row], packed: BinaryIO) -> Iterator[Vector]:
        """The vectors in their order; the thumbnails go into ``packed``."""
        for row in rows:
            if row.skipped:
                self.skipped[row.skipped] += 1
                continue
            self.digests[row.path] = row.digest
            self.monk[row.path] = row.monk
            if row.vector is not None and row.digest not in self.by_digest:
                place = StoredPhoto(len(self.by_digest), packed.tell(), len(row.thumbnail), shot_type=None)
                self.by_digest[row.digest] = place
                packed.write(row.thumbnail)
                yield row.vector

    def stored(self, case: Case) -> StoredCase:
        found = [
            (image, self.by_digest[self.digests[image.path]]) for image in case.images if image.path in self.digests
        ]
        return StoredCase.of(
            case,
            [StoredPhoto(photo.vector, photo.offset, photo.length, image.shot_type) for image, photo in found],
            self.monk.get(case.images[0].path) if found else None,
        )

    def forget_lost(self) -> None:
        """A copy whose original, in a shard that was made again, could not be read this time."""
        for path, digest in list(self.digests.items()):
            if digest not in self.by_digest:
                del self.digests[path]
                self.skipped[UNREADABLE] += 1


def assemble(
    work: Path,
    done: ShardFolder,
    shards: Sequence[Shard],
    *,
    name: str,
    dataset: Dataset,
    cases: Sequence[Case],
    encoder: Encoder,
    kind: str,
) -> Manifest:
    """Write all files of an index of ``cases`` to the folder ``work``, beside the population that is there already.

    Raises BuildError if no photo can be indexed.
    """
    photos = _unpack(work, done, shards, encoder.dimension)
    stored = [row for case in cases if (row := photos.stored(case)).photos]
    if not stored:
        raise BuildError("No labelled case has a photo that can be read: there is nothing to index.")
    write_cases(work, stored)
    transform = _transform(work)
    structure = write_index(work, read_embeddings(work), transform, kind)
    manifest = _manifest(
        name, dataset, stored, photos=photos, encoder=encoder, work=work, arranged=(transform, structure)
    )
    write_manifest(work, manifest)
    return manifest


def chosen_transform(vectors: int, dimension: int) -> TransformSpec:
    """Half the components, each divided by the root of its deviation, where there are enough vectors to know them."""
    if vectors < WHITEN_FROM * dimension:
        return TransformSpec()
    return TransformSpec(components=max(1, dimension // 2), power=-0.25)


def _unpack(work: Path, done: ShardFolder, shards: Sequence[Shard], dimension: int) -> _Photos:
    photos = _Photos()
    distinct = len({digest for shard in shards for digest in done.digests(shard)})
    rows = (row for shard in shards for row in done.read(shard))
    with (work / THUMBNAILS).open("wb") as packed:
        write_embeddings(work, photos.unpack(rows, packed), distinct, dimension)
    photos.forget_lost()
    return photos


def _transform(work: Path) -> Transform:
    vectors = read_embeddings(work)
    return fit_transforms([chosen_transform(*vectors.shape)], spread(vectors, _FITTED_MOST))[0]


def _manifest(
    name: str,
    dataset: Dataset,
    stored: Sequence[StoredCase],
    *,
    photos: _Photos,
    encoder: Encoder,
    work: Path,
    arranged: tuple[Transform, Structure],
) -> Manifest:
    unlabelled = sum(not case.label.weights for case in dataset.cases)
    skipped = {**dataset.skipped, **photos.skipped, "no label": unlabelled}
    releases = sorted({case.release for case in dataset.cases})
    credit = attribution(dataset.synthetic)
    transform, structure = arranged
    return Manifest(
        format=FORMAT,
        name=name,
        dataset=credit["dataset"],
        release=", ".join(releases),
        synthetic=dataset.synthetic,
        cases=len(stored),
        images=sum(len(case.photos) for case in stored),
        vectors=len(photos.by_digest),
        skipped={reason: count for reason, count in sorted(skipped.items()) if count},
        encoder=encoder.spec.name,
        encoder_version=encoder.spec.version,
        encoder_fingerprint=encoder.fingerprint,
        dimension=encoder.dimension,
        metric=METRIC,
        transforms=transform.steps,
        structure=structure,
        measures=MEASURES,
        vote=Vote(),
        licence=credit["licence"],
        attribution=dict(credit),
        built_at=dataset.modified_at,
        files={
            file: sha256_file(work / file) for file in (INDEX_FILE, CASES_TABLE, THUMBNAILS, EMBEDDINGS, POPULATION)
        },
    )
