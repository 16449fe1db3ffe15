"""Neighbours and votes are those of serving; planted transforms and temperatures are found; conformal sets cover."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scin.evaluate.cases import LabelledCases, labelled_cases
from scin.evaluate.fit import (
    COVERAGES,
    Neighbours,
    calibrate,
    candidates,
    choose,
    conformal_quantile,
    disagreement_limit,
    fit_scaling,
    held_out_neighbours,
    mean_distance,
    nearest,
    nonconformity,
    quantiles,
    threshold,
    vote_shares,
)
from scin.evaluate.leaderboard import calibration_error
from scin.evaluate.metrics import TOO_FEW
from scin.evaluate.queries import ask
from scin.index.cases import StoredCase
from scin.index.manifest import Vote
from scin.index.vectors import TransformSpec, fit_transforms
from scin.index.vote import Scaling, probabilities
from tests.unit.scin.evaluation_data import cases_of, classes_of, embedded, names
from tests.unit.scin.index_folder import load, random_photos, stored, unit, write_folder

REMARK = "Remove from labeling tool"


def differential(rng: np.random.Generator) -> dict[str, float]:
    chosen = rng.choice(list("ABCDEFG"), size=rng.integers(1, 4), replace=False)
    weights = {str(name): float(rng.integers(1, 5)) / 10 for name in chosen}
    return weights | ({REMARK: 0.4} if rng.random() < 0.1 else {})


def stored_cases(seed: int) -> tuple[np.ndarray, list[StoredCase]]:
    rng = np.random.default_rng(seed)
    vectors, photos = random_photos(150, seed)
    return vectors, [stored(case, rows, differential(rng)) for case, rows in photos.items()]


@pytest.mark.parametrize("vote", [Vote(1, 0.1), Vote(5, 0.02), Vote(11, 0.1), Vote(31, 0.5)])
def test_the_vote_on_many_cases_is_the_served_vote_on_each(tmp_path: Path, vote: Vote) -> None:
    vectors, cases = stored_cases(1)
    write_folder(tmp_path, vectors, cases, vote=vote)
    rng = np.random.default_rng(2)
    views = random_photos(60, 3)
    asked = labelled_cases([stored(case, rows, differential(rng)) for case, rows in views[1].items()], views[0])
    references = labelled_cases(cases, vectors)
    served = ask(load(tmp_path), asked)

    transform = fit_transforms([TransformSpec()], vectors)[0]
    queries, stored_ones = (replace(one, vectors=transform.apply(one.vectors)) for one in (asked, references))
    shares = vote_shares(nearest(queries, stored_ones, vote.neighbours), references, vote)
    assert asked.conditions == references.conditions == tuple("ABCDEFG")
    assert shares == pytest.approx(served, abs=1e-4)


def brute(queries: LabelledCases, references: LabelledCases) -> np.ndarray:
    def photos(cases: LabelledCases, row: int) -> np.ndarray:
        first = cases.starts[row]
        return cases.vectors[cases.photos[first : first + cases.photos_per_case[row]]]

    return np.array(
        [
            [(photos(queries, q) @ photos(references, r).T).max() for r in range(len(references))]
            for q in range(len(queries))
        ]
    )


def test_a_case_scores_by_its_best_pair_of_photos() -> None:
    vectors, cases = stored_cases(4)
    all_cases = labelled_cases(cases, vectors)
    found = nearest(all_cases, all_cases, len(all_cases))
    expected = brute(all_cases, all_cases)
    assert found.similarities == pytest.approx(-np.sort(-expected, axis=1), abs=1e-5)
    assert np.take_along_axis(expected, found.rows, axis=1) == pytest.approx(found.similarities, abs=1e-5)


def test_cases_of_one_fold_do_not_see_each_other() -> None:
    vectors, cases = stored_cases(5)
    all_cases = labelled_cases(cases, vectors)
    fold = np.arange(len(all_cases)) % 3
    (found,) = held_out_neighbours(all_cases, fold, [TransformSpec()], 20)
    assert np.isfinite(found.similarities).all()
    assert (fold[found.rows] != fold[:, None]).all()


def test_equally_near_cases_come_in_the_order_of_their_ids() -> None:
    cases = cases_of(names(np.zeros(30, int)), np.repeat(embedded(np.zeros(1, int), 0.0, 1), 30, axis=0))
    found = nearest(cases, cases, 30)
    assert (found.rows == np.arange(30)).all()


def test_where_too_few_may_be_seen_the_rest_is_empty() -> None:
    cases = cases_of(names(np.arange(6)), embedded(np.arange(6), 0.1, 1))
    (found,) = held_out_neighbours(cases, np.array([0, 0, 0, 0, 0, 1]), [TransformSpec()], 4)
    assert np.isfinite(found.similarities).sum(axis=1).tolist() == [1, 1, 1, 1, 1, 4]
    shares = vote_shares(found, cases, Vote(4, 0.1))
    assert shares.sum(axis=1) == pytest.approx(np.ones(6))
    assert shares[0, 5] == 1
    alone = Neighbours(np.zeros((6, 4), np.intp), np.full((6, 4), -np.inf, np.float32))
    assert (vote_shares(alone, cases, Vote(4, 0.1)) == 0).all()


def test_the_distance_is_one_minus_the_mean_cosine_of_the_voters() -> None:
    similarities = np.array([[0.6, 0.0], [0.8, 0.6], [0.8, -np.inf]], np.float32)
    found = Neighbours(np.zeros((3, 2), np.intp), similarities)
    assert mean_distance(found, 1) == pytest.approx([0.4, 0.2, 0.2])
    assert mean_distance(found, 2) == pytest.approx([0.7, 0.3, 0.2])


def test_a_transform_that_helps_is_chosen() -> None:
    """Eight loud dimensions say nothing; scaled down, the quiet ones that do are heard."""
    classes = classes_of(300, 4, 16)
    noise = np.random.default_rng(17).normal(size=(300, 16)) * np.where(np.arange(16) < 8, 0.2, 4.0)
    cases = cases_of(names(classes), unit(np.eye(16)[classes] + noise))
    choice = choose(cases, 1)
    assert choice.transform.spec.power < 0
    assert choice.score > choice.tried["centre"] + 0.2
    assert choice.mixtures[0.0] == max(choice.tried.values())
    assert choice.score == max(choice.mixtures.values())


def test_more_components_than_half_the_vectors_are_not_tried() -> None:
    assert candidates(100, 512) == (TransformSpec(),)
    assert {spec.components for spec in candidates(300, 512)} == {None, 64, 128}
    assert {spec.components for spec in candidates(9000, 100)} == {None, 64, 100}


def drawn(truth: np.ndarray, seed: int) -> np.ndarray:
    """(n, C) one label a row, drawn from the row's probabilities, as a table of ones."""
    rng = np.random.default_rng(seed)
    chosen = (truth.cumsum(axis=1) > rng.random((len(truth), 1))).argmax(axis=1)
    return np.eye(truth.shape[1])[chosen]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_a_planted_temperature_is_found(temperature: float) -> None:
    truth = np.random.default_rng(1).dirichlet(np.full(8, 0.6), 4000)
    shares = truth**temperature / (truth**temperature).sum(axis=1, keepdims=True)
    found = fit_scaling(shares, drawn(truth, 2))
    assert found.temperature == pytest.approx(temperature, rel=0.1)
    before = calibration_error(shares.max(axis=1), drawn(truth, 3)[np.arange(4000), shares.argmax(axis=1)])
    fitted = probabilities(shares, found)
    after = calibration_error(fitted.max(axis=1), drawn(truth, 3)[np.arange(4000), fitted.argmax(axis=1)])
    assert after < 0.035
    assert temperature == 1 or before > 2 * after


def test_a_planted_doubt_is_found() -> None:
    """A third of the truths are drawn from all conditions alike, whatever the neighbours say."""
    shares = np.random.default_rng(4).dirichlet(np.full(6, 0.3), 5000)
    planted = Scaling(1.0, -np.log(2), 0.0)
    found = fit_scaling(shares, drawn(probabilities(shares, planted), 5))
    assert probabilities(shares, found) == pytest.approx(probabilities(shares, planted), abs=0.06)


def test_the_quantile_is_the_one_of_the_formula() -> None:
    scores = np.random.default_rng(6).permutation(np.arange(1, 100) / 100.0)
    assert conformal_quantile(scores, 0.9) == pytest.approx(0.90)  # ⌈100 · 0.9⌉ = the 90th of 99
    assert conformal_quantile(scores, 0.8) == pytest.approx(0.80)
    assert conformal_quantile(scores[: TOO_FEW - 1], 0.9) is None
    assert conformal_quantile(scores[:TOO_FEW], 0.99) is None  # needs the 31st of 30


@pytest.mark.parametrize("coverage", COVERAGES)
def test_sets_cover_what_they_say_in_every_group(coverage: float) -> None:
    """Exchangeable cases, one group much harder than the other: over many splits each group gets its coverage."""
    rng = np.random.default_rng(7)
    held: dict[str, list[bool]] = {"easy": [], "hard": []}
    sizes: dict[str, list[int]] = {"easy": [], "hard": []}
    for trial in range(60):
        groups = np.where(rng.random(400) < 0.3, "hard", "easy")
        truth = rng.dirichlet(np.full(6, 0.5), 400) ** np.where(groups == "hard", 0.4, 2.0)[:, None]
        truth /= truth.sum(axis=1, keepdims=True)
        leading = drawn(truth, trial) > 0
        shares = np.full_like(truth, 1 / 6) * 0.3 + 0.7 * truth
        scores = nonconformity(shares, leading)
        limits = quantiles(scores[:200], groups[:200], coverage)
        for group in held:
            limit = limits[group].value
            assert limit is not None
            inside = groups[200:] == group
            held[group] += (scores[200:][inside] <= limit).tolist()
            sizes[group] += (1 - shares[200:][inside] <= limit).sum(axis=1).tolist()
    for group, covered in held.items():
        assert np.mean(covered) == pytest.approx(coverage, abs=0.02), group
    assert np.mean(sizes["hard"]) > np.mean(sizes["easy"])


def test_a_group_of_too_few_has_no_quantile() -> None:
    groups = np.array(["Monk 1–4"] * 60 + ["Monk 8–10"] * (TOO_FEW - 1) + [""] * 11)
    found = quantiles(np.random.default_rng(8).random(100), groups, 0.9)
    assert {group: (q.n, q.value is None) for group, q in found.items()} == {
        "all": (100, False),
        "Monk 1–4": (60, False),
        "Monk 8–10": (TOO_FEW - 1, True),
    }


def test_without_a_quantile_every_condition_is_in_the_set() -> None:
    classes = classes_of(100, 4, 9)
    cases = cases_of(names(classes), embedded(classes, 0.5, 10), monk=[3] * 95 + [9] * 5)
    fitted = calibrate(choose(cases, 1), cases, 1)
    assert threshold(fitted, 0.9, "Monk 8–10") == 1
    assert threshold(fitted, 0.9, "") == fitted.quantiles["0.90"]["all"].value
    assert threshold(fitted, 0.9, "Monk 1–4") == fitted.quantiles["0.90"]["Monk 1–4"].value


def test_what_is_unlike_the_index_lies_beyond_its_distance() -> None:
    classes = classes_of(300, 4, 13)
    cases = cases_of(names(classes), embedded(classes, 0.1, 14))
    choice = choose(cases, 1)
    fitted = calibrate(choice, cases, 1)
    assert (np.diff(fitted.distances) >= 0).all()
    assert fitted.outlier == fitted.distances[99]
    strange = cases_of(names(np.full(20, 4)), embedded(np.full(20, 12), 0.1, 15))
    asked, known = (replace(one, vectors=choice.transform.apply(one.vectors)) for one in (strange, cases))
    found = nearest(asked, known, choice.vote.neighbours)
    assert (mean_distance(found, choice.vote.neighbours) > fitted.outlier).mean() > 0.9


def test_head_and_neighbours_disagree_only_where_that_costs_right_answers() -> None:
    distances = np.linspace(0, 1, 600)
    limit = np.percentile(distances, 95)
    alike = np.arange(600) % 5 > 0  # four of five, everywhere
    worse = np.where(distances > limit, np.arange(600) % 3 == 0, alike)  # one of three beyond the limit
    assert disagreement_limit(distances, worse) == pytest.approx(limit)
    assert disagreement_limit(distances, alike) is None
    assert disagreement_limit(distances[500:], worse[500:]) is None  # five cases beyond the limit show nothing


def test_the_calibration_error_by_hand() -> None:
    assert calibration_error(np.array([0.95, 0.95, 0.05, 0.05]), np.array([1.0, 0.0, 0.0, 0.0])) == pytest.approx(0.25)
    assert calibration_error(np.ones(10), np.ones(10)) == 0
