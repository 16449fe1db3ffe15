"""Evaluation finds and counts as serving does: the same neighbours, the same vote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scin.evaluation.cases import LabelledCases, labelled_cases
from scin.evaluation.neighbours import mean_distance, nearest
from scin.evaluation.queries import ask
from scin.evaluation.voting import vote_shares
from scin.index.cases import StoredCase
from scin.index.manifest import Vote
from scin.index.vectors import TransformSpec, fit_transforms
from tests.unit.scin.evaluation_data import cases_of, embedded, names
from tests.unit.scin.index_folder import load, random_photos, stored, write_folder

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
    moved = transform.apply(asked.vectors), transform.apply(references.vectors)
    shares = vote_shares(nearest(asked, moved[0], references, moved[1], depth=vote.neighbours), references, vote)
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
    found = nearest(all_cases, all_cases.vectors, all_cases, all_cases.vectors, depth=len(all_cases))
    expected = brute(all_cases, all_cases)
    assert found.similarities == pytest.approx(-np.sort(-expected, axis=1), abs=1e-5)
    assert np.take_along_axis(expected, found.rows, axis=1) == pytest.approx(found.similarities, abs=1e-5)


def test_cases_of_one_fold_do_not_see_each_other() -> None:
    vectors, cases = stored_cases(5)
    all_cases = labelled_cases(cases, vectors)
    fold = np.arange(len(all_cases)) % 3
    found = nearest(all_cases, all_cases.vectors, all_cases, all_cases.vectors, depth=20, apart=(fold, fold))
    assert np.isfinite(found.similarities).all()
    assert (fold[found.rows] != fold[:, None]).all()


def test_equally_near_cases_come_in_the_order_of_their_ids() -> None:
    cases = cases_of(names(np.zeros(30, int)), np.repeat(embedded(np.zeros(1, int), 0.0, 1), 30, axis=0))
    found = nearest(cases, cases.vectors, cases, cases.vectors, depth=30)
    assert (found.rows == np.arange(30)).all()


def test_where_too_few_may_be_seen_the_rest_is_empty() -> None:
    cases = cases_of(names(np.arange(6)), embedded(np.arange(6), 0.1, 1))
    apart = np.array([0, 0, 0, 0, 0, 1])
    found = nearest(cases, cases.vectors, cases, cases.vectors, depth=4, apart=(apart, apart))
    assert np.isfinite(found.similarities).sum(axis=1).tolist() == [1, 1, 1, 1, 1, 4]
    shares = vote_shares(found, cases, Vote(4, 0.1))
    assert shares.sum(axis=1) == pytest.approx(np.ones(6))
    assert shares[0, 5] == 1
    alone = nearest(cases, cases.vectors, cases, cases.vectors, depth=4, apart=(np.zeros(6), np.zeros(6)))
    assert (vote_shares(alone, cases, Vote(4, 0.1)) == 0).all()


def test_the_distance_is_one_minus_the_mean_cosine_of_the_voters() -> None:
    cases = cases_of(names(np.arange(3)), np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32))
    apart = np.arange(3)
    found = nearest(cases, cases.vectors, cases, cases.vectors, depth=2, apart=(apart, apart))
    assert mean_distance(found, 1) == pytest.approx([0.4, 0.2, 0.2])
    assert mean_distance(found, 2) == pytest.approx([0.7, 0.3, 0.6])
