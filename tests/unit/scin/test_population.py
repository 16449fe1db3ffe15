"""The index's population: what is measured, that it comes back as it was written, and that it is checked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml.errors import ArtifactError
from ml.skin.catalogue import CATALOGUE
from scin import population
from scin.build import build
from scin.index.manifest import read_manifest, verify_files
from scin.index.search import SearchIndex, load_index
from scin.population import LEAST, MOST, POPULATION, draw, measure_population, read_population
from scin.synthetic import SOURCE
from storage import open_storage
from tests.unit.ml.skin_images import MONK, skin_of, skin_patch
from tests.unit.ml.tiny_models import DIMENSION, tiny_encoder
from tests.unit.scin.scin_folder import case, label, write_tables

ONE_IN = 8
PHOTOS = ONE_IN * LEAST


@pytest.fixture(scope="module", autouse=True)
def larger_share() -> Iterator[None]:
    """Draw more of the photos, so that fewer need to be made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(population, "ONE_IN", ONE_IN)
        yield


def make(folder: Path, photos: int = PHOTOS, **facts: str) -> Path:
    """An index of photos of skin, each of its own case."""
    cases = [case(str(n), f"{n}.png", **facts) for n in range(1, photos + 1)]
    dataset = write_tables(folder / "dataset", cases, [label(row["case_id"], {"Eczema": 1.0}) for row in cases])
    for n in range(1, photos + 1):
        patch = skin_patch(MONK[n % 10], 128, 176, seed=n)
        Image.fromarray(patch).save(dataset / "images" / f"{n}.png", "PNG")
    build(open_storage(str(dataset)), folder / "index", tiny_encoder(), name="made")
    return folder / "index"


def load(index: Path) -> SearchIndex:
    return load_index(index, encoder_fingerprint=tiny_encoder().fingerprint, dimension=DIMENSION)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("population"))


def test_an_index_has_the_distributions_of_its_photos(index: Path) -> None:
    found = load(index).population
    assert found is not None
    scored = {f"skin/{name}" for name, measure in CATALOGUE.items() if measure.scored}
    assert set(found.distributions) == scored
    assert {known.photos for known in found.distributions.values()} == {LEAST}


def test_its_own_photos_have_their_rank_in_it(index: Path) -> None:
    found = load(index).population
    assert found is not None
    dataset = open_storage(str(index.parent / "dataset"))
    drawn = draw([f"images/{n}.png" for n in range(1, PHOTOS + 1)])
    values = []
    for path in drawn:
        photo = np.asarray(Image.open(index.parent / "dataset" / path))
        values.append(next(m.value for m in skin_of(photo).measurements if m.name == "roughness"))
    known = found.distributions["skin/roughness"]
    ranks = [known.share_below(value) for value in values if value is not None]
    assert np.argsort(ranks).tolist() == np.argsort(values).tolist()
    assert measure_population(dataset, [f"images/{n}.png" for n in range(1, PHOTOS + 1)]) == found


def test_the_manifest_has_its_digest_and_a_changed_one_is_refused(index: Path, tmp_path: Path) -> None:
    assert POPULATION in read_manifest(index).files
    text = (index / POPULATION).read_text(encoding="utf-8")
    try:
        (index / POPULATION).write_text(text.replace('"seed": 1', '"seed": 2'), encoding="utf-8")
        with pytest.raises(ArtifactError, match="does not match its sha256"):
            verify_files(index, read_manifest(index))
        with pytest.raises(ArtifactError, match=POPULATION):
            load(index)
    finally:
        (index / POPULATION).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "changed",
    [
        {"format": 9},
        {"distributions": {"skin/lines": {"method": "m", "photos": 3, "percentiles": [1, 2]}}},
        {"seed": ...},
    ],
    ids=["another format", "no percentiles", "no seed"],
)
def test_a_damaged_population_is_refused(tmp_path: Path, changed: Mapping[str, object]) -> None:
    facts = {"format": 1, "seed": 1, "distributions": {}, **changed}
    (tmp_path / POPULATION).write_text(json.dumps({k: v for k, v in facts.items() if v is not ...}), encoding="utf-8")
    with pytest.raises(ArtifactError, match="Build the index again"):
        read_population(tmp_path, {POPULATION: ""})


def test_an_index_without_one_has_none(tmp_path: Path) -> None:
    assert read_population(tmp_path, {}) is None


def test_generated_skin_is_nobodys_population(tmp_path: Path) -> None:
    index = load(make(tmp_path, photos=3, source=SOURCE))
    assert index.info.synthetic
    assert index.population is None


def test_what_is_drawn_does_not_depend_on_the_order_and_is_bounded() -> None:
    paths = [f"{n}.png" for n in range(10_000)]
    assert draw(paths) == draw(paths[::-1])
    assert len(draw(paths)) == MOST
    assert len(draw(paths[:80])) == 10
    assert draw([]) == []


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    found = measure_population(open_storage(str(tmp_path)), ["missing.png"])
    assert not found.distributions
