"""Neighbours → conditions: shares that sum to one, their bands, and the cases that are their evidence."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.values import Condition
from scin.index.manifest import Vote
from scin.index.vote import Ballot, Neighbour, Votes, band


def vote(neighbours: Sequence[Neighbour], parameters: Vote) -> tuple[Condition, ...]:
    return Votes(neighbours, parameters).conditions()


def neighbour(case_id: str, similarity: float, **differential: float) -> Neighbour:
    return Neighbour(Ballot.of(case_id, differential, None), similarity)


def test_equally_similar_cases_count_equally() -> None:
    found = vote([neighbour("1", 0.5, Eczema=1.0), neighbour("2", 0.5, Acne=0.5, Eczema=0.5)], Vote())
    assert [(c.name, c.probability, c.band, c.evidence) for c in found] == [
        ("Eczema", pytest.approx(0.75), "high", ("1", "2")),
        ("Acne", pytest.approx(0.25), "possible", ("2",)),
    ]


def test_a_nearer_case_counts_more_by_the_softmax_of_similarity() -> None:
    found = vote([neighbour("1", 0.9, A=1.0), neighbour("2", 0.7, B=1.0)], Vote(temperature=0.1))
    assert {c.name: c.probability for c in found} == {
        "A": pytest.approx(1 / (1 + math.exp(-2))),
        "B": pytest.approx(1 / (1 + math.exp(2))),
    }


def test_weights_that_do_not_quite_sum_to_one_still_give_a_case_one_vote() -> None:
    found = vote([neighbour("1", 0.5, A=0.67, B=0.34), neighbour("2", 0.5, B=1.0)], Vote())
    assert sum(c.probability for c in found) == pytest.approx(1)
    assert {c.name: c.probability for c in found}["A"] == pytest.approx(0.5 * 0.67 / 1.01)


def test_only_the_nearest_vote() -> None:
    cases = [neighbour(str(n), 0.9 - n / 100, **{f"C{n}": 1.0}) for n in range(20)]
    assert {c.name for c in vote(cases, Vote(neighbours=3))} == {"C0", "C1", "C2"}


def test_cases_without_a_label_do_not_vote() -> None:
    assert vote([], Vote()) == ()
    assert vote([neighbour("1", 0.9)], Vote()) == ()
    assert vote([neighbour("1", 0.9, A=0.0)], Vote()) == ()
    assert [c.probability for c in vote([neighbour("1", 0.9), neighbour("2", 0.1, A=1.0)], Vote())] == [1.0]


def test_conditions_carry_their_code_where_it_is_unambiguous() -> None:
    found = {c.name: c.icd_10 for c in vote([neighbour("1", 0.9, Eczema=0.5, Unheard=0.5)], Vote())}
    assert found == {"Eczema": "L30.9", "Unheard": None}


@pytest.mark.parametrize(
    ("probability", "name"),
    [(1.0, "high"), (0.33, "high"), (0.329, "possible"), (0.1, "possible"), (0.099, "unlikely"), (0.0, "unlikely")],
)
def test_bands(probability: float, name: str) -> None:
    assert band(probability) == name


def test_shares_give_the_order_and_calibrated_probabilities_the_band() -> None:
    votes = Votes([neighbour("1", 0.5, Eczema=0.6, Acne=0.4)], Vote())
    found = votes.conditions(probabilities={"Eczema": 0.3, "Acne": 0.05})
    assert [(c.name, c.probability, c.band) for c in found] == [
        ("Eczema", pytest.approx(0.6), "possible"),
        ("Acne", pytest.approx(0.4), "unlikely"),
    ]


def test_a_condition_without_votes_has_no_evidence_and_one_without_a_share_is_not_listed() -> None:
    votes = Votes([neighbour("1", 0.5, Eczema=1.0)], Vote())
    found = votes.conditions({"Eczema": 0.3, "Acne": 0.7, "Tinea": 0.0})
    assert [(c.name, c.evidence) for c in found] == [("Acne", ()), ("Eczema", ("1",))]


differentials = st.dictionaries(st.sampled_from("ABCDEF"), st.floats(0.01, 1), max_size=4)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-1, 1), differentials), max_size=15))
def test_shares_sum_to_one_in_falling_order_and_evidence_is_sound(rows: list[tuple[float, dict[str, float]]]) -> None:
    ordered = sorted(rows, key=lambda row: -row[0])
    found = vote([neighbour(str(n), s, **d) for n, (s, d) in enumerate(ordered)], Vote(neighbours=15))
    if found:
        assert sum(c.probability for c in found) == pytest.approx(1)
    assert [c.probability for c in found] == sorted((c.probability for c in found), reverse=True)
    for condition in found:
        assert condition.evidence == tuple(str(n) for n, (_, d) in enumerate(ordered) if condition.name in d)


def test_a_remark_of_the_graders_is_no_condition() -> None:
    remark = {"Remove from labeling tool": 0.5, "Eczema": 0.5}
    found = vote([neighbour("1", 0.9, **remark), neighbour("2", 0.9, **{"Remove from labeling tool": 1.0})], Vote())
    assert [(c.name, c.probability) for c in found] == [("Eczema", 1.0)]


def test_agreement_is_that_of_the_cited_cases_by_their_weight() -> None:
    def agreeing(case_id: str, agreement: float | None, **differential: float) -> Neighbour:
        return Neighbour(Ballot.of(case_id, differential, agreement), 0.9)

    voters = [agreeing("1", 1.0, A=1.0), agreeing("2", 0.5, A=0.5, B=0.5), agreeing("3", None, A=1.0, C=1.0)]
    assert {c.name: c.agreement for c in vote(voters, Vote())} == {
        "A": pytest.approx(0.75),
        "B": pytest.approx(0.5),
        "C": None,
    }
