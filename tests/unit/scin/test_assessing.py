"""What the calibration says of a vote, and that a served index says it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.errors import ArtifactError
from scin.evaluate.run import evaluate_index
from scin.index.manifest import read_manifest, write_manifest
from scin.index.vectors import read_embeddings
from scin.index.vote import CALIBRATION_FILE, FORMAT, Accuracy, Calibration, Quantile, Scaling, probabilities
from storage.base import sha256_file
from tests.unit.scin.evaluation_data import DIMENSION, classes_of, index_of, silent
from tests.unit.scin.index_folder import load

CALIBRATION = Calibration(
    format=FORMAT,
    scaling=Scaling(1.5, -1.0, -0.5),
    conditions=("Acne", "Eczema", "Urticaria"),
    quantiles={"0.90": {"all": Quantile(200, 0.8), "Monk 8–10": Quantile(4, None)}},
    distances=tuple(np.linspace(0, 0.5, 101)),
    outlier=0.4,
    accuracy={
        "all": {"top-1": Accuracy(200, 0.4, 0.3, 0.5), "top-3": Accuracy(200, 0.7, 0.6, 0.8)},
        "Monk 8–10": {"top-1": Accuracy(4, None, None, None)},
    },
)
ACCURACY = CALIBRATION.cited("SCIN")
SHARES = CALIBRATION.row({"Eczema": 0.9, "Acne": 0.1})


def test_probabilities_are_those_of_the_evaluation_the_largest_share_first() -> None:
    found = CALIBRATION.assess(SHARES, [0.9, 0.7], ACCURACY).probabilities
    expected = probabilities(np.array([[0.1, 0.9, 0.0]]), CALIBRATION.scaling)[0]
    assert [found[name] for name in ("Acne", "Eczema", "Urticaria")] == pytest.approx(expected)
    assert list(found) == ["Eczema", "Acne", "Urticaria"]


def test_equal_shares_come_by_name() -> None:
    assert list(CALIBRATION.assess(CALIBRATION.row({}), [], ACCURACY).probabilities) == ["Acne", "Eczema", "Urticaria"]


def test_distance_limits_and_accuracy() -> None:
    found = CALIBRATION.assess(SHARES, [0.9, 0.7], ACCURACY)
    assert (found.distance, found.outlier, found.coverage) == (pytest.approx(0.2), 0.4, 0.9)
    assert found.limits == {"all": 0.8, "Monk 8–10": None}
    assert set(found.accuracy) == {"all"}
    told = found.accuracy["all"]
    assert (told.metric, told.value, told.interval, told.n, told.dataset) == ("top-1", 0.4, (0.3, 0.5), 200, "SCIN")


def test_without_voters_everything_is_far_away() -> None:
    found = CALIBRATION.assess(CALIBRATION.row({}), [], ACCURACY)
    assert found.distance > found.outlier
    assert sum(found.probabilities.values()) == pytest.approx(1)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluated") / "index"
    index_of(folder, classes_of(120, 4, 1), 0.15, 1)
    evaluate_index(folder, folder.with_name("report"), seed=1, resamples=20, write=True, progress=silent)
    return folder


def test_an_evaluated_index_assesses_each_search(evaluated: Path) -> None:
    index = load(evaluated, DIMENSION)
    found = index.search(read_embeddings(evaluated)[:1], 3)
    assert found.assessment is not None
    assert sum(found.assessment.probabilities.values()) == pytest.approx(1)
    assert found.assessment.distance < found.assessment.outlier
    assert set(found.assessment.limits) == {"all", "Monk 1–4", "Monk 5–7", "Monk 8–10"}
    assert found.assessment.limits["Monk 8–10"] is not None
    assert {one.name: one.calibrated_probability for one in found.conditions} == {
        one.name: found.assessment.probabilities[one.name] for one in found.conditions
    }
    far = index.search(-read_embeddings(evaluated).mean(axis=0, keepdims=True), 3).assessment
    assert far is not None
    assert far.distance > far.outlier


def test_similarities_are_those_of_the_search(evaluated: Path) -> None:
    index = load(evaluated, DIMENSION)
    views = read_embeddings(evaluated)[[0, 5]]
    cases = index.search(views[:1], 4).cases
    told = index.similarities(views, [case.case_id for case in cases])
    assert told.shape == (2, 4)
    assert told[0] == pytest.approx([case.similarity for case in cases], abs=1e-5)


def test_an_index_without_a_calibration_assesses_nothing(tmp_path: Path) -> None:
    index_of(tmp_path / "index", classes_of(20, 2, 1), 0.15, 1)
    found = load(tmp_path / "index", DIMENSION).search(read_embeddings(tmp_path / "index")[:1], 3)
    assert found.assessment is None
    assert all(one.calibrated_probability is None for one in found.conditions)


def test_a_calibration_that_was_altered_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    manifest = index_of(folder, classes_of(20, 2, 1), 0.15, 1)
    CALIBRATION.write(folder)
    write_manifest(
        folder, replace(manifest, files={**manifest.files, CALIBRATION_FILE: sha256_file(folder / CALIBRATION_FILE)})
    )
    assert CALIBRATION_FILE in read_manifest(folder).files
    load(folder, DIMENSION)
    (folder / CALIBRATION_FILE).write_text((folder / CALIBRATION_FILE).read_text().replace("0.8", "0.1"))
    with pytest.raises(ArtifactError, match="sha256"):
        load(folder, DIMENSION)
