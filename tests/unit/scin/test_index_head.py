"""The head of an index: what it learns, that it comes back from its file, and that a served index answers with it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.errors import ArtifactError
from scin.evaluate.fit import choose
from scin.evaluate.head import HeadSpec, fit_heads, head_shares
from scin.evaluate.queries import ask
from scin.evaluate.run import evaluate_index, read_index, write_choice
from scin.index.head import HEAD_FILE, Head, read_head
from scin.index.manifest import read_manifest, write_manifest
from scin.index.vectors import read_embeddings
from scin.index.vote import mixture, read_calibration, total_variation
from storage.base import sha256_file
from tests.unit.scin.evaluation_data import DIMENSION, cases_of, classes_of, embedded, index_of, names, silent
from tests.unit.scin.index_folder import load


def test_the_head_learns_the_whole_differential() -> None:
    """Photos of one kind are labelled 70 : 30, and so are its shares."""
    kinds = classes_of(300, 2, 13)
    labels = [{"A": 0.7, "B": 0.3} if kind else {"C": 0.6, "D": 0.4} for kind in kinds]
    cases = cases_of(labels, embedded(kinds, 0.1, 14))
    given = head_shares(fit_heads([HeadSpec(0.064)], cases)[0], cases)
    assert given.sum(axis=1) == pytest.approx(np.ones(300))
    of_kind = given[kinds == 1].mean(axis=0)
    assert of_kind[:2].sum() > 3 * of_kind[2:].sum()
    assert of_kind[:2] / of_kind[:2].sum() == pytest.approx([0.7, 0.3], abs=0.04)


def test_a_balanced_head_finds_more_of_a_rare_condition() -> None:
    rng = np.random.default_rng(3)
    classes = (rng.random(600) < 0.05).astype(int)
    cases = cases_of(names(classes), embedded(classes, 0.9, 4))
    plain, balanced = (head_shares(head, cases) for head in fit_heads([HeadSpec(0.016), HeadSpec(0.016, 1.0)], cases))
    rare = classes == 1
    assert (balanced[rare].argmax(axis=1) == 1).mean() > (plain[rare].argmax(axis=1) == 1).mean() + 0.2


def test_the_head_of_one_condition_names_it() -> None:
    cases = cases_of(names(np.zeros(40, int)), embedded(np.zeros(40, int), 0.5, 15))
    (head,) = fit_heads([HeadSpec()], cases)
    assert (head_shares(head, cases) == 1).all()


def made_head(seed: int = 1, conditions: int = 3) -> Head:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(DIMENSION, conditions)).astype(np.float32)
    return Head(tuple(f"condition {n:02d}" for n in range(conditions)), weights, np.zeros(conditions, np.float32))


def test_a_head_comes_back_as_it_was_and_in_the_same_bytes(tmp_path: Path) -> None:
    head = made_head()
    head.write(tmp_path)
    first = (tmp_path / HEAD_FILE).read_bytes()
    found = read_head(tmp_path, DIMENSION)
    assert found.conditions == head.conditions
    assert (found.weights == head.weights).all()
    head.write(tmp_path)
    assert (tmp_path / HEAD_FILE).read_bytes() == first


def test_a_damaged_head_is_refused_in_one_line(tmp_path: Path) -> None:
    made_head().write(tmp_path)
    with pytest.raises(ArtifactError, match="does not fit its index") as error:
        read_head(tmp_path, DIMENSION + 1)
    assert "\n" not in error.value.message
    whole = (tmp_path / HEAD_FILE).read_bytes()
    for content in (b"", b"no zip", whole[: len(whole) // 2]):
        (tmp_path / HEAD_FILE).write_bytes(content)
        with pytest.raises(ArtifactError, match="python -m scin evaluate"):
            read_head(tmp_path, DIMENSION)


def test_mixture_and_distance_of_two_distributions() -> None:
    vote, head = np.array([[0.75, 0.25, 0.0]]), np.array([[0.0, 0.5, 0.5]])
    assert mixture(vote, head, 0.5) == pytest.approx(np.array([[0.375, 0.375, 0.25]]))
    assert mixture(vote, head, 0.0) == pytest.approx(vote)
    assert total_variation(vote, head) == pytest.approx(0.75)
    assert total_variation(vote, vote) == pytest.approx(0.0)
    assert total_variation(np.zeros((1, 3)), head) == 1.0


def test_a_head_in_the_order_of_other_conditions_gives_the_same_shares() -> None:
    head, photo = made_head(), embedded(np.zeros(1, int), 0.5, 3)
    (row,) = head.of(("a", "condition 02", "condition 00", "condition 01")).shares(photo)
    assert row == pytest.approx([0.0, *head.shares(photo)[0, [2, 0, 1]]])


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluated index whose head has half of the weight."""
    folder = tmp_path_factory.mktemp("made") / "index"
    index_of(folder, classes_of(120, 4, 1), 0.35, 2)
    evaluate_index(folder, folder.with_name("out"), seed=1, resamples=20, write=True, progress=silent)
    _, cases = read_index(folder, 1)
    choice = replace(choose(cases, 1), head_weight=0.5)
    (head,) = fit_heads([choice.head], cases)
    calibration = replace(read_calibration(folder), disagreement=0.6)
    write_choice(folder, choice, calibration, head)
    return folder


@pytest.fixture
def with_head(evaluated: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(evaluated, tmp_path / "index"))


def test_a_served_index_mixes_head_and_vote(with_head: Path) -> None:
    manifest, index = read_manifest(with_head), load(with_head, DIMENSION)
    assert (manifest.method, index.info.method, HEAD_FILE in manifest.files) == ("mixture", "mixture", True)
    photo = read_embeddings(with_head)[:1]
    found = index.search(photo, 3)
    head = read_head(with_head, DIMENSION)
    learnt = dict(zip(head.conditions, head.shares(photo)[0].tolist(), strict=True))
    first = found.conditions[0]
    assert first.probability > 0.5 * learnt[first.name]
    assert sum(one.probability for one in found.conditions) == pytest.approx(1, abs=0.08)
    assert found.assessment is not None
    assert found.assessment.head_agrees


def test_a_condition_that_only_the_head_finds_has_the_nearest_cases_that_hold_it(with_head: Path) -> None:
    head = read_head(with_head, DIMENSION)
    sure = replace(head, weights=np.zeros_like(head.weights), intercepts=np.float32([0, 0, 0, 9]))
    replace_head(with_head, sure)
    index = load(with_head, DIMENSION)
    photo = read_embeddings(with_head)[:1]
    voters = index.search(photo, 1).conditions
    other = next(one for one in voters if one.name == "condition 03")
    holders = [case.case_id for case in index.search(photo, 120).cases if "condition 03" in case.differential]
    assert other.probability > 0.4
    assert list(other.evidence) == holders[: len(other.evidence)]
    assert other.evidence


def test_the_first_conditions_are_listed_by_share_even_without_votes(with_head: Path) -> None:
    """The head knows one condition well and orders the others against the alphabet."""
    head = read_head(with_head, DIMENSION)
    replace_head(with_head, replace(head, weights=np.zeros_like(head.weights), intercepts=np.float32([6, 0, 1, 2])))
    found = load(with_head, DIMENSION).search(-read_embeddings(with_head).mean(axis=0, keepdims=True), 1)
    assert found.assessment is not None
    assert len(found.conditions) == 4
    shares = [one.probability for one in found.conditions]
    assert shares == sorted(shares, reverse=True)
    assert [one.name for one in found.conditions] == list(found.assessment.probabilities)
    calibrated = [one.calibrated_probability for one in found.conditions]
    assert calibrated == list(found.assessment.probabilities.values())
    assert calibrated == sorted(calibrated, reverse=True)


def test_asked_photos_are_judged_by_what_the_answer_lists(with_head: Path) -> None:
    index = load(with_head, DIMENSION)
    photos = read_embeddings(with_head)[:40]
    given = ask(index, cases_of(names(classes_of(40, 4, 1)), photos))
    for row, photo in zip(given, photos, strict=True):
        served = index.search(photo[None], 1).conditions
        ranked = np.argsort(-row, kind="stable")[: len(served)]
        assert [f"condition {place:02d}" for place in ranked] == [one.name for one in served]
        assert row[ranked].tolist() == [one.calibrated_probability for one in served]


def test_head_and_neighbours_that_disagree_are_said_to(with_head: Path) -> None:
    head = read_head(with_head, DIMENSION)
    replace_head(with_head, replace(head, weights=-head.weights))
    assessment = load(with_head, DIMENSION).search(read_embeddings(with_head)[:1], 1).assessment
    assert assessment is not None
    assert not assessment.head_agrees


def replace_head(folder: Path, head: Head) -> None:
    head.write(folder)
    manifest = read_manifest(folder)
    files = {**manifest.files, HEAD_FILE: sha256_file(folder / HEAD_FILE)}
    write_manifest(folder, replace(manifest, files=files))


def test_an_index_that_is_evaluated_again_without_its_head_loses_the_file(with_head: Path) -> None:
    _, cases = read_index(with_head, 1)
    choice = replace(choose(cases, 1), head_weight=0.0)
    manifest = write_choice(with_head, choice, read_calibration(with_head))
    assert (manifest.method, HEAD_FILE in manifest.files, (with_head / HEAD_FILE).exists()) == ("vote", False, False)
    assert load(with_head, DIMENSION).search(read_embeddings(with_head)[:1], 1).conditions
