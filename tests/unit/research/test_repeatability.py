"""Two photos of the same skin: intraclass correlation, limits that hold for other people, and the file of both."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ml.skin.catalogue import CATALOGUE
from research.repeatability import __main__ as command
from research.repeatability.pairs import (
    Pair,
    Reading,
    evaluate,
    facts_of_lengths,
    held_out,
    icc_with_interval,
    tolerance,
)
from research.repeatability.photos import LESIONS, PORTRAITS, Photo, lesion_photos, portraits, relit
from tests.unit.ml.skin_images import MONK, skin_patch

GREY = np.zeros((8, 8, 3), np.uint8)


def lesion_pair(one: float, other: float, own: float = 0.0, patient: str = "p") -> Pair:
    return Pair(LESIONS, patient, patient, "2", Reading(one, own), Reading(other, own))


def test_icc_is_the_share_of_variance_between_subjects() -> None:
    rng = np.random.default_rng(0)
    subjects = rng.normal(20, 3, 4000)
    icc, (low, high) = icc_with_interval([rng.normal(mean, 1, 2) for mean in subjects])
    assert icc == pytest.approx(0.9, abs=0.02)
    assert low < icc < high
    icc, _ = icc_with_interval([rng.normal(20, 1, 2) for _ in subjects])
    assert icc == pytest.approx(0, abs=0.05)


def test_icc_of_groups_of_different_sizes() -> None:
    """The mean squares of the one-way analysis of variance by hand, and the typical size of a group."""
    icc, _ = icc_with_interval([np.array([1.0, 2.0]), np.array([4.0, 5.0, 4.5])])
    between = 2 * 1.5**2 + 3 * 4.5**2 - 16.5**2 / 5
    within = (0.5 + 0.5) / 3
    typical = 5 - 13 / 5
    assert icc == pytest.approx((between - within) / (between + (typical - 1) * within))


def test_a_pair_needs_the_limit_that_its_own_uncertainties_leave() -> None:
    assert lesion_pair(10, 14).needed(relative=False) == pytest.approx(4 / np.sqrt(2))
    assert lesion_pair(10, 14, own=3).needed(relative=False) == 0
    assert lesion_pair(30, 40).needed(relative=True) == pytest.approx(10 / 50)


def test_a_limit_holds_for_most_new_pairs() -> None:
    rng = np.random.default_rng(0)
    limits = [tolerance(np.abs(rng.normal(size=48))) for _ in range(200)]
    covered = [np.mean(np.abs(rng.normal(size=2000)) <= limit) for limit in limits]
    assert np.mean(np.array(covered) >= 0.85) >= 0.93
    assert tolerance([1.0, 2.0]) == 2.0, "too few for confidence: the largest"


def test_coverage_is_that_of_other_patients() -> None:
    held = held_out([1.0] * 30 + [50.0, 60.0], [f"p{i}" for i in range(30)] + ["odd"] * 2)
    assert held[:30].all()
    assert not held[30:].any()


def test_a_length_is_compared_with_drawn_outlines() -> None:
    found = facts_of_lengths([0.1] * 30, [f"p{i}" for i in range(30)])
    assert (found["relative"], found["n"], found["coverage"]) == (0.1, 30, 1.0)


def test_figures_are_those_of_lesions_and_few_faces_have_none() -> None:
    def measured(source: str, subject: str, value: float) -> tuple[Photo, dict[tuple[str, str, str], Reading]]:
        kind = "skin" if source == LESIONS else "face"
        return Photo(source, subject, subject, "3", GREY), {("redness", kind, kind): Reading(value, 0.0)}

    rng = np.random.default_rng(0)
    photos = [measured(LESIONS, f"l{i}", 5 * (i % 7) + rng.normal()) for i in range(30) for _ in range(2)]
    photos += [measured(PORTRAITS, "ann", value) for value in (1.0, 30.0)]
    found = evaluate(photos)["redness"]
    assert found["skin"]["n"] == 30
    assert found["skin"]["icc"] > 0.9
    assert found["skin"]["held_by_type"]["3"][1] == 30
    assert found["face"]["n"] == 1
    assert "icc" not in found["face"]
    assert found["face"]["absolute"] >= 20 > found["skin"]["absolute"], "the portraits' own pair needs more"


def test_the_file_says_how_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "PARAMETERS", tmp_path / "made.json")
    command.write(
        {"redness": {"skin": {"absolute": 1.0}}, "lines": {}}, [Photo(LESIONS, "l", "p", "", GREY)], unseen=False
    )
    made = json.loads((tmp_path / "made.json").read_text())
    assert made["measures"]["redness"]["skin"]["absolute"] == 1.0
    assert made["fitted"].keys() >= {"command", "data", "date"}


def test_another_light_changes_the_photo_and_is_the_same_each_time() -> None:
    portrait = Photo(PORTRAITS, "ann", "ann", "", skin_patch(MONK[4], 64, 80))
    one, other = ([photo.rgb for photo in relit(portrait)] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert np.std([photo.mean() for photo in one]) > 10


def test_real_photos_are_paired_by_their_names(shared_data: Path) -> None:
    lesions = lesion_photos(shared_data / "pad")
    counts = {photo.subject: 0 for photo in lesions}
    for photo in lesions:
        counts[photo.subject] += 1
    assert (len(lesions), len(counts), min(counts.values())) == (95, 47, 2)
    assert len({photo.patient for photo in portraits(shared_data / "faces")}) == 1


def test_the_file_in_use_has_a_limit_for_each_measure() -> None:
    facts = json.loads(command.PARAMETERS.read_text(encoding="utf-8"))["measures"]
    assert list(facts) == list(CATALOGUE)
