"""What an analysis commits to, and why it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ml.analysis.decision import MOST_IN_SET, Verdict, decide, names_conditions, tone_group
from ml.values import Accuracy, Assessment, IndexInfo, Modality, Quality, Tone

INDEX = IndexInfo("made", "SCIN", False, 200, 300, 4, "2026-01-01", {})
DERMATOSCOPIC = replace(INDEX, photo_kind="dermatoscopic")
GOOD = Quality(True, 90.0)
UNKNOWN = Modality(None, None, None)
ACCURACY = Accuracy("Monk 8–10", "top-1", 0.4, (0.3, 0.5), 120, "SCIN")
EVERYONE = replace(ACCURACY, group="all", value=0.45)
ASSESSMENT = Assessment(
    probabilities={"Eczema": 0.6, "Acne": 0.3, "Urticaria": 0.1},
    distance=0.2,
    outlier=0.5,
    coverage=0.9,
    limits={"all": 0.75, "Monk 1–4": 0.5, "Monk 5–7": None, "Monk 8–10": 0.75},
    accuracy={"all": EVERYONE, "Monk 8–10": ACCURACY},
)


def tone(monk: int | None) -> Tone:
    return Tone("measured with a card", reference="grey_card", monk_estimate=monk)


def verdict(
    assessment: Assessment | None = ASSESSMENT,
    monk: int | None = 9,
    *,
    index: IndexInfo = INDEX,
    quality: Quality = GOOD,
    modality: Modality = UNKNOWN,
    conflict: bool = False,
) -> Verdict:
    return decide(index, quality, modality, tone(monk), assessment, conflict=conflict)


@pytest.mark.parametrize(
    ("monk", "group"),
    [
        (None, None),
        (1, "Monk 1–4"),
        (4, "Monk 1–4"),
        (5, "Monk 5–7"),
        (7, "Monk 5–7"),
        (8, "Monk 8–10"),
        (10, "Monk 8–10"),
    ],
)
def test_every_tone_has_a_group(monk: int | None, group: str | None) -> None:
    assert tone_group(monk) == group


def test_one_condition_within_the_limit_is_an_answer() -> None:
    decision = verdict(monk=2).decision
    assert (decision.kind, decision.set, decision.coverage) == ("answer", ("Eczema",), 0.9)
    assert (decision.group, decision.reasons) == ("Monk 1–4", ())


def test_several_are_a_set_by_the_limit_of_the_photos_own_tone() -> None:
    decision = verdict(monk=9).decision
    assert (decision.kind, decision.set, decision.group) == ("set", ("Eczema", "Acne"), "Monk 8–10")


@pytest.mark.parametrize(("monk", "reason"), [(6, "tone_group_too_few"), (None, "tone_unknown")])
def test_without_a_limit_of_its_own_a_tone_has_that_of_all_and_the_answer_says_so(
    monk: int | None, reason: str
) -> None:
    decision = verdict(monk=monk).decision
    assert (decision.kind, decision.group, decision.reasons) == ("set", "all", (reason,))


def test_a_tone_without_a_reference_in_the_photo_is_unknown() -> None:
    guessed = replace(tone(2), reference=None)
    decision = decide(INDEX, GOOD, UNKNOWN, guessed, ASSESSMENT, conflict=False).decision
    assert (decision.group, decision.reasons) == ("all", ("tone_unknown",))


def test_a_tone_that_was_not_measured_is_unknown() -> None:
    assert decide(INDEX, GOOD, UNKNOWN, None, ASSESSMENT, conflict=False).decision.reasons == ("tone_unknown",)


def test_it_abstains_where_the_limit_admits_nothing_or_too_much() -> None:
    strict = replace(ASSESSMENT, limits={"all": 0.1})
    assert verdict(strict).decision.reasons == ("tone_group_too_few", "nothing_likely")
    many = {f"Condition {number}": 1 / 20 for number in range(20)}
    loose = verdict(replace(ASSESSMENT, probabilities=many, limits={"Monk 8–10": 0.99})).decision
    assert (loose.kind, loose.set, loose.reasons) == ("abstain", (), ("too_many_conditions",))
    just = dict(list(many.items())[:MOST_IN_SET])
    assert len(verdict(replace(ASSESSMENT, probabilities=just, limits={"Monk 8–10": 0.99})).decision.set) == MOST_IN_SET


def test_it_abstains_where_there_was_nothing_to_calibrate_by() -> None:
    decision = verdict(replace(ASSESSMENT, limits={"all": None})).decision
    assert (decision.kind, decision.reasons) == ("abstain", ("tone_group_too_few", "too_few_to_calibrate"))


def test_it_abstains_on_what_is_unlike_the_index() -> None:
    decision = verdict(replace(ASSESSMENT, distance=0.51)).decision
    assert (decision.kind, decision.set, decision.coverage, decision.reasons) == (
        "abstain",
        (),
        None,
        ("unlike_index",),
    )
    assert verdict(replace(ASSESSMENT, distance=0.5)).decision.kind == "set"


def test_it_abstains_where_the_head_and_the_neighbours_disagree() -> None:
    decision = verdict(replace(ASSESSMENT, head_agrees=False)).decision
    assert (decision.kind, decision.set, decision.reasons) == ("abstain", (), ("head_and_neighbours_disagree",))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"quality": Quality(False, 0.0)}, "unusable_photo"),
        ({"quality": Quality(True, 50.0, colours=False)}, "no_colours"),
        ({"conflict": True}, "modality_conflict"),
        ({"modality": Modality("not_skin", 0.9, None)}, "not_skin"),
        ({"modality": Modality("dermatoscopic", None, "dermatoscopic")}, "dermatoscopic_photo"),
        ({"assessment": None}, "not_calibrated"),
    ],
)
def test_it_abstains_where_nothing_may_be_said(changed: dict, reason: str) -> None:
    decision = verdict(**changed).decision
    assert (decision.kind, decision.set, decision.reasons) == ("abstain", (), (reason,))


@pytest.mark.parametrize("kind", ["face", "lesion_close_up", "close_up"])
def test_an_index_of_dermatoscopic_photos_says_nothing_of_ordinary_ones(kind: str) -> None:
    decision = verdict(index=DERMATOSCOPIC, modality=Modality(kind, 0.9, None)).decision
    assert (decision.kind, decision.set, decision.reasons) == ("abstain", (), ("clinical_photo",))
    assert not names_conditions(DERMATOSCOPIC, GOOD, Modality(kind, 0.9, None))


@pytest.mark.parametrize("kind", ["dermatoscopic", None])
def test_an_index_of_dermatoscopic_photos_answers_for_such_photos(kind: str | None) -> None:
    modality = Modality(kind, 0.95, None)
    assert verdict(index=DERMATOSCOPIC, modality=modality).decision == verdict().decision
    assert names_conditions(DERMATOSCOPIC, GOOD, modality)


def test_no_index_answers_for_a_photo_without_skin() -> None:
    decision = verdict(index=DERMATOSCOPIC, modality=Modality("not_skin", 0.9, None)).decision
    assert decision.reasons == ("not_skin",)


def test_a_synthetic_index_answers_nothing_even_if_it_is_calibrated() -> None:
    found = verdict(index=replace(INDEX, synthetic=True))
    assert (found.decision.kind, found.decision.reasons) == ("abstain", ("synthetic_index",))
    assert (found.accuracy, found.accuracy_reason) == (None, "synthetic_index")
    assert not names_conditions(replace(INDEX, synthetic=True), GOOD, UNKNOWN)


@pytest.mark.parametrize(
    ("label", "stated"), [("not_skin", None), ("dermatoscopic", None), ("dermatoscopic", "dermatoscopic")]
)
def test_no_condition_is_named_on_what_the_index_does_not_hold(label: str, stated: str | None) -> None:
    assert not names_conditions(INDEX, GOOD, Modality(label, None, stated))


def test_conditions_are_named_on_the_kinds_of_photo_that_the_index_holds() -> None:
    assert not names_conditions(INDEX, Quality(False, 0.0), UNKNOWN)
    assert not names_conditions(INDEX, Quality(True, 50.0, colours=False), UNKNOWN)
    kinds = ("face", "lesion_close_up", "close_up", None)
    assert all(names_conditions(INDEX, GOOD, Modality(kind, 0.9, None)) for kind in kinds)


def test_the_accuracy_is_that_of_the_photos_tone_or_too_few() -> None:
    assert verdict(monk=9).accuracy == ACCURACY
    assert verdict(monk=None).accuracy == EVERYONE
    found = verdict(monk=6)
    assert (found.accuracy, found.accuracy_reason) == (None, "too_few")
    assert verdict(None).accuracy_reason == "not_calibrated"


def test_what_is_not_skin_was_not_looked_up_and_that_is_the_only_reason() -> None:
    found = verdict(None, modality=Modality("not_skin", 0.9, None))
    assert found.decision.reasons == ("not_skin",)
    assert (found.accuracy, found.accuracy_reason) == (None, "not_skin")
