"""An encoder is adopted only if it answers held-out cases better beyond chance."""

from __future__ import annotations

import numpy as np
import pytest

from ml.values import Vectors
from scin.evaluate.cases import LabelledCases, assemble
from scin.train.adoption import Comparison, compare
from scin.train.split import split
from tests.unit.scin.index_folder import unit

CASES, CONDITIONS = 300, 4


def noise(seed: int) -> Vectors:
    return unit(np.random.default_rng(seed).normal(size=(CASES, 16)))


def telling(seed: int) -> Vectors:
    """Vectors that show a case's condition."""
    directions = unit(np.random.default_rng(0).normal(size=(CONDITIONS, 16)))
    return unit(noise(seed) + 3 * directions[np.arange(CASES) % CONDITIONS])


def cases(vectors: Vectors) -> LabelledCases:
    """Pairs of cases are of one patient, and the tone is known of half the cases."""
    names = [f"Condition {n % CONDITIONS}" for n in range(CASES)]
    tones = np.array(["Fitzpatrick 2" if n % 2 else "" for n in range(CASES)])
    return assemble(
        [str(n) for n in range(CASES)],
        [{name: 1.0} for name in names],
        [[n] for n in range(CASES)],
        vectors,
        tones={"Fitzpatrick (dermatologists)": tones, "Monk group": np.full(CASES, "")},
        patients=[str(n // 2) for n in range(CASES)],
    )


def compared(before: Vectors, after: Vectors) -> Comparison:
    made = cases(before)
    return compare(made, split(made, 1), after, seed=1)


def test_better_vectors_are_adopted() -> None:
    found = compared(noise(1), telling(2))
    assert found.adopted
    assert found.tuned.top_1.value > 0.9
    assert found.frozen.top_1.value < 0.5
    assert found.gain.low <= found.gain.value <= found.gain.high
    assert found.verdict.startswith("Training helps: on ")


@pytest.mark.parametrize(
    ("before", "after"),
    [(noise(1), noise(2)), (telling(1), telling(1)), (telling(1), noise(2))],
    ids=["noise stays noise", "nothing changed", "worse"],
)
def test_what_is_not_better_is_not_adopted(before: Vectors, after: Vectors) -> None:
    found = compared(before, after)
    assert not found.adopted
    assert "does not lie above 0" in found.verdict


def test_a_patient_is_in_one_part_only() -> None:
    made = cases(noise(1))
    parts = split(made, 3)
    rows = [parts.learnt, parts.inner, parts.held_out]
    assert sorted(np.concatenate(rows)) == list(range(CASES))
    patients = [set(made.groups[part].tolist()) for part in rows]
    assert sum(map(len, patients)) == len(set.union(*patients))
    assert all(len(np.unique(made.top[part])) == CONDITIONS for part in rows)
    again = split(made, 3)
    assert [part.tolist() for part in rows] == [part.tolist() for part in (again.learnt, again.inner, again.held_out)]
