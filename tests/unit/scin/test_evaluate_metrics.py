"""Metrics equal scikit-learn's, or a count by hand; intervals hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    balanced_accuracy_score,
    ndcg_score,
    recall_score,
    roc_auc_score,
    top_k_accuracy_score,
)

from scin.evaluate import metrics
from scin.evaluate.cases import LabelledCases
from scin.evaluate.metrics import LEVEL, TOO_FEW, Bootstrap, Figure, auroc, mean_of
from tests.unit.scin.evaluation_data import cases_of, embedded, names

LETTERS = "ABCDEFGHIJ"


def differentials(n: int, seed: int) -> LabelledCases:
    """Cases with one to four of ten conditions, of random weights."""
    rng = np.random.default_rng(seed)
    labels = [
        {LETTERS[c]: float(rng.random() + 0.01) for c in rng.permutation(10)[: rng.integers(1, 5)]} for _ in range(n)
    ]
    return cases_of(labels, embedded(np.arange(n) % 10, 1.0, seed))


def single(n: int, seed: int, number: int = 10) -> tuple[LabelledCases, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    classes = np.concatenate([np.arange(number), rng.integers(0, number, n - number)])
    return cases_of(names(classes), embedded(classes, 1.0, seed)), classes, rng.dirichlet(np.ones(number), n)


@pytest.mark.parametrize("k", metrics.CUTS)
def test_top_k_is_scikit_learns_for_one_label_each(k: int) -> None:
    cases, classes, scores = single(300, 1)
    assert metrics.per_case(scores, cases)[f"top-{k}"].mean() == pytest.approx(
        top_k_accuracy_score(classes, scores, k=k)
    )


def test_ndcg_is_scikit_learns() -> None:
    cases = differentials(200, 2)
    scores = np.random.default_rng(3).dirichlet(np.ones(len(cases.conditions)), 200)
    assert metrics.per_case(scores, cases)[metrics.NDCG].mean() == pytest.approx(
        ndcg_score(cases.weights, scores, k=5, ignore_ties=True)
    )


def test_macro_recall_is_balanced_accuracy_where_one_condition_leads() -> None:
    cases, classes, scores = single(400, 4, number=6)
    hits = metrics.per_case(scores, cases)[metrics.TOP_1]
    conditions = metrics.judged_conditions(cases.top)
    found = metrics.macro_recall(hits, cases.top, conditions, np.ones((1, 400)))
    assert found == pytest.approx(balanced_accuracy_score(classes, scores.argmax(axis=1)))


def test_macro_recall_leaves_out_conditions_of_few_cases() -> None:
    classes = np.repeat([0, 1, 2], [50, 30, 9])
    cases = cases_of(names(classes), embedded(classes, 1.0, 5))
    predicted = np.random.default_rng(6).integers(0, 3, len(classes))
    hits = metrics.per_case(np.eye(3)[predicted], cases)[metrics.TOP_1]
    conditions = metrics.judged_conditions(cases.top)
    assert conditions.tolist() == [0, 1]
    expected = recall_score(classes, predicted, labels=[0, 1], average="macro")
    assert metrics.macro_recall(hits, cases.top, conditions, np.ones((1, 89))) == pytest.approx(expected)


@pytest.mark.parametrize("levels", [4, 10_000])
def test_auroc_is_scikit_learns_with_and_without_equal_scores(levels: int) -> None:
    rng = np.random.default_rng(7)
    positive = rng.random(150) < 0.3
    scores = np.round((rng.random(150) + positive) * levels)
    counts = rng.multinomial(150, np.full(150, 1 / 150), size=5).astype(float)
    expected = [roc_auc_score(positive, scores, sample_weight=row) for row in counts]
    assert metrics.auroc(scores, positive, counts) == pytest.approx(expected)


def test_macro_auroc_is_the_mean_of_scikit_learns() -> None:
    cases = differentials(300, 8)
    scores = np.random.default_rng(9).dirichlet(np.ones(len(cases.conditions)), 300) + 0.2 * cases.weights
    named = cases.weights > 0
    assert metrics.macro_auroc(scores, named, np.ones((1, 300))) == pytest.approx(
        roc_auc_score(named, scores, average="macro")
    )


def test_auroc_without_a_positive_is_unknown_and_not_averaged() -> None:
    scores, named = np.arange(6.0)[:, None] * [1, 1], np.array([[0, 0], [0, 0], [1, 0], [0, 0], [1, 0], [0, 0]], bool)
    assert np.isnan(metrics.auroc(scores[:, 1], named[:, 1], np.ones((1, 6)))).all()
    assert metrics.macro_auroc(scores, named, np.ones((1, 6))) == pytest.approx(
        roc_auc_score(named[:, 0], scores[:, 0])
    )
    assert np.isnan(metrics.macro_auroc(scores[:, :0], named[:, :0], np.ones((1, 6)))).all()


def test_what_counts_as_a_hit_by_hand() -> None:
    """Eczema and Acne weigh the same and both lead; Tinea is in the differential; Warts is not."""
    cases = cases_of([{"Eczema": 0.4, "Acne": 0.4, "Tinea": 0.2}, {"Warts": 1.0}], embedded(np.arange(2), 0.1, 1))
    assert cases.conditions == ("Acne", "Eczema", "Tinea", "Warts")

    def values(*shares: float) -> dict[str, float]:
        return {metric: float(v[0]) for metric, v in metrics.per_case(np.array([shares, shares]), cases).items()}

    acne_first = values(0.7, 0.0, 0.0, 0.3)
    assert (acne_first["top-1"], acne_first["any-1"], acne_first["weight-1"]) == (1, 1, pytest.approx(1))
    assert acne_first["weight-3"] == pytest.approx(0.4)
    tinea_first = values(0.2, 0.1, 0.7, 0.0)
    assert (tinea_first["top-1"], tinea_first["any-1"], tinea_first["weight-1"]) == (0, 1, pytest.approx(0.5))
    assert tinea_first["top-3"] == 1
    assert tinea_first["weight-3"] == pytest.approx(1)
    warts_first = values(0.0, 0.0, 0.3, 0.7)
    assert (warts_first["any-1"], warts_first["any-3"], warts_first["top-5"]) == (0, 1, 0)


def test_what_has_no_probability_is_not_ranked() -> None:
    cases = cases_of(names(np.arange(8)), embedded(np.arange(8), 0.1, 1))
    nothing = np.zeros((8, 8))
    assert (metrics.ranking(nothing) == -1).all()
    assert all((values == 0).all() for values in metrics.per_case(nothing, cases).values())


def test_ties_are_ranked_in_alphabetical_order() -> None:
    assert metrics.ranking(np.array([[0.2, 0.4, 0.0, 0.4]]), 4).tolist() == [[1, 3, 0, -1]]


def test_the_commonest_are_those_that_most_differentials_name() -> None:
    labels = [{"B": 0.1, "A": 0.9}, {"B": 0.1, "C": 0.9}, {"C": 1.0}, {"B": 1.0}]
    cases = cases_of(labels, embedded(np.arange(4), 0.1, 1))
    assert [cases.conditions[c] for c in metrics.commonest(cases, 2)] == ["B", "C"]


def test_intervals_of_an_accuracy_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    trials, truth, held = 400, 0.7, 0
    for trial in range(trials):
        hits = (rng.random(150) < truth).astype(float)
        figure = Bootstrap(300, trial).figures("all", 150, {"accuracy": mean_of(hits)})["accuracy"]
        assert figure.low is not None
        assert figure.high is not None
        held += figure.low <= truth <= figure.high
    # three standard errors of a share of 400, and the percentile method's known shortfall of about one point
    assert held / trials == pytest.approx(LEVEL, abs=0.035)


def test_intervals_of_an_auroc_hold_the_truth_as_often_as_they_say() -> None:
    """Two normal distributions one standard deviation apart: the area is Φ(1/√2) = 0.7602."""
    rng = np.random.default_rng(2)
    trials, held = 300, 0
    for trial in range(trials):
        positive = np.arange(160) < 50
        scores = rng.normal(size=160) + positive
        statistic = {"area": lambda counts, s=scores, p=positive: auroc(s, p, counts)}
        figure = Bootstrap(200, trial).figures("all", 160, statistic)["area"]
        assert figure.low is not None
        assert figure.high is not None
        held += figure.low <= 0.7602 <= figure.high
    assert held / trials == pytest.approx(LEVEL, abs=0.045)


def test_the_same_seed_and_name_give_the_same_interval() -> None:
    values = np.random.default_rng(3).random(80)

    def figure(seed: int, name: str) -> Figure:
        return Bootstrap(250, seed).figures(name, 80, {"mean": mean_of(values)})["mean"]

    assert figure(1, "Monk 3") == figure(1, "Monk 3")
    assert figure(1, "Monk 3") != figure(2, "Monk 3")
    assert figure(1, "Monk 3") != figure(1, "Monk 4")


def test_fewer_cases_than_the_least_give_no_figure() -> None:
    few = Bootstrap(100, 1).figures("all", TOO_FEW - 1, {"mean": mean_of(np.ones(TOO_FEW - 1))})["mean"]
    assert few == Figure(TOO_FEW - 1, None, None, None)
    assert Bootstrap(100, 1).figures("all", TOO_FEW, {"mean": mean_of(np.ones(TOO_FEW))})["mean"].value == 1


def test_what_is_always_right_is_certain() -> None:
    assert Bootstrap(100, 1).figures("all", 50, {"mean": mean_of(np.ones(50))})["mean"] == Figure(50, 1.0, 1.0, 1.0)


def test_a_statistic_that_cannot_be_computed_gives_no_figure() -> None:
    unknown = {"recall": lambda counts: np.full(len(counts), np.nan)}
    assert Bootstrap(100, 1).figures("all", 50, unknown)["recall"] == Figure(50)


def test_resamples_in_which_a_statistic_is_unknown_are_left_out() -> None:
    """One positive among 50: a third of the resamples lack it."""
    positive = np.arange(50) == 0
    figure = Bootstrap(200, 1).figures("all", 50, {"area": lambda counts: auroc(np.arange(50.0), positive, counts)})
    assert figure["area"] == Figure(50, 0.0, 0.0, 0.0)
