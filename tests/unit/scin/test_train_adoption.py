"""An encoder is adopted only if it answers held-out cases better beyond chance, and for no skin tone worse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml.values import Vectors
from scin.evaluate.cases import MONK_GROUP, LabelledCases, assemble
from scin.evaluate.fit import HEAD_WEIGHTS, INNER_FOLDS
from scin.train.adoption import Answers, Comparison, answer, compare
from scin.train.split import LEAST_CASES, split
from tests.unit.scin.index_folder import unit

CASES, CONDITIONS = 300, 4
NO_SCALE = np.full(CASES, "")


def noise(seed: int) -> Vectors:
    return unit(np.random.default_rng(seed).normal(size=(CASES, 16)))


def telling(seed: int) -> Vectors:
    """Vectors that show a case's condition."""
    directions = unit(np.random.default_rng(0).normal(size=(CONDITIONS, 16)))
    return unit(noise(seed) + 3 * directions[np.arange(CASES) % CONDITIONS])


def cases(vectors: Vectors) -> LabelledCases:
    """Pairs of cases are of one patient."""
    return assemble(
        [str(n) for n in range(CASES)],
        [{f"Condition {n % CONDITIONS}": 1.0} for n in range(CASES)],
        [[n] for n in range(CASES)],
        vectors,
        tones={"Fitzpatrick (dermatologists)": NO_SCALE, MONK_GROUP: NO_SCALE},
        patients=[str(n // 2) for n in range(CASES)],
    )


def compared(before: Vectors, after: Vectors) -> Comparison:
    made = cases(before)
    parts = split(made, 1)
    asked = answer(made, parts, 1, trained=False), answer(replace(made, vectors=after), parts, 1, trained=True)
    return compare(made.take(parts.held_out), *asked, seed=1)


def answers(right: np.ndarray) -> Answers:
    """Answers that are right for the marked cases, and name the next condition for the others."""
    named = (np.arange(CASES) + ~right) % CONDITIONS
    return Answers(np.eye(CONDITIONS)[named], "by hand")


def judged(tone: np.ndarray, before: np.ndarray, after: np.ndarray) -> Comparison:
    """A comparison whose cases have these tones and were answered rightly where marked."""
    made = replace(cases(noise(1)), tones={"Fitzpatrick (dermatologists)": NO_SCALE, MONK_GROUP: tone})
    return compare(made, answers(before), answers(after), seed=1)


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


def test_vectors_that_only_tell_what_was_learnt_are_not_adopted() -> None:
    """The trained encoder's answers to cases that it learnt do not choose the method."""
    made = cases(noise(100))
    parts = split(made, 1)
    memorised = noise(50)
    memorised[parts.learnt] = telling(80)[parts.learnt]
    assert not compared(noise(100), memorised).adopted


def test_the_answers_say_how_they_were_found() -> None:
    made = cases(telling(1))
    found = answer(made, split(made, 1), 1, trained=False)
    assert any(word in found.method for word in ("the vote of", "the head with"))
    assert 0.25 in HEAD_WEIGHTS  # mixtures are tried too
    assert found.shares.sum(axis=1) == pytest.approx(1)


def test_a_tone_with_enough_cases_is_reported() -> None:
    places = np.arange(CASES)
    tone = np.where(places < 40, "5–7", np.where(places < 60, "8–10", ""))
    found = judged(tone, before=places % 5 > 0, after=places >= 10)
    assert list(found.by_tone) == ["5–7"]
    one = found.by_tone["5–7"]
    assert (one.cases, one.frozen, one.tuned) == (40, 0.8, 0.75)
    assert one.gain.value == pytest.approx(-0.05)
    assert one.gain.low < one.gain.value < one.gain.high


def test_an_encoder_that_harms_a_tone_is_not_adopted() -> None:
    places = np.arange(CASES)
    dark = places < 40
    tone = np.where(dark, "8–10", "1–4")
    found = judged(tone, before=dark | (places % 2 == 0), after=~dark | (places % 4 == 0))
    assert found.gain.low > 0
    assert found.by_tone["1–4"].gain.low > 0
    assert not found.adopted
    assert "But it harms 8–10: on 40 cases, top-1 accuracy was 1.000 and is 0.250" in found.verdict
    assert judged(NO_SCALE, before=dark | (places % 2 == 0), after=~dark | (places % 4 == 0)).adopted


def test_many_photos_of_few_patients_say_nothing_of_a_tone() -> None:
    made = replace(cases(noise(1)), groups=np.arange(CASES) // 40)
    tone = np.where(np.arange(CASES) < 80, "8–10", "")
    made = replace(made, tones={"Fitzpatrick (dermatologists)": NO_SCALE, MONK_GROUP: tone})
    right = np.ones(CASES, np.bool_)
    assert compare(made, answers(right), answers(~right), seed=1).by_tone == {}


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


def test_few_patients_still_choose_the_method() -> None:
    """As few patients as a training accepts: enough of them stop the training, so that folds can be made of them."""
    made = replace(cases(noise(1)), groups=np.arange(CASES) % (LEAST_CASES // 2))
    parts = split(made, 1)
    assert len(np.unique(made.groups[parts.inner])) >= INNER_FOLDS
