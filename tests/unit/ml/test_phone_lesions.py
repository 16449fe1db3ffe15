"""The model for phone photos of a lesion: what it answers, when it says none of these, and the file that ships."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.errors import ArtifactError
from ml.models.phone_lesions import CODES, FILE, SUMS, PhoneLesions, conformal_set, features, read_phone_lesions
from ml.models.registry import EFFICIENTNET_LITE0
from ml.values import Patient


@pytest.fixture(scope="module")
def model() -> PhoneLesions:
    return read_phone_lesions()


def centre(model: PhoneLesions, code: str) -> np.ndarray:
    """The embedding in the middle of a class."""
    return model.centres[CODES.index(code)].astype(np.float32)


def test_an_answer_is_one_distribution_with_two_named_sums(model: PhoneLesions) -> None:
    lesion = model.classify(centre(model, "nev")[None], Patient())
    probability = {one.code: one.probability for one in lesion.predictions}
    assert lesion.input == "phone"
    assert set(probability) == set(CODES)
    assert sum(probability.values()) == pytest.approx(1)
    assert lesion.predictions[0].code == "nev"
    assert {one.name: one.codes for one in lesion.sums} == SUMS
    for one in lesion.sums:
        assert one.probability == pytest.approx(sum(probability[code] for code in one.codes))
    assert lesion.malignant_probability == lesion.sums[0].probability
    assert all(one.icd_10 for one in lesion.predictions)


def test_the_set_holds_the_most_probable_classes(model: PhoneLesions) -> None:
    lesion = model.classify(centre(model, "bcc")[None], Patient())
    assert lesion.decision is not None
    assert lesion.decision.kind in ("answer", "set")
    assert (lesion.decision.kind == "answer") == (len(lesion.decision.set) == 1)
    assert lesion.decision.set == tuple(one.code for one in lesion.predictions[: len(lesion.decision.set)])
    assert lesion.decision.coverage == 0.9


def test_a_set_is_never_empty() -> None:
    assert conformal_set(np.array([0.3, 0.2, 0.1]), 0.5) == 1
    assert conformal_set(np.array([0.6, 0.3, 0.1]), 0.7) == 2


def test_it_names_nothing_far_from_its_data(model: PhoneLesions) -> None:
    away = -centre(model, "nev")[None]
    lesion = model.classify(away, Patient())
    assert lesion.decision is not None
    assert lesion.decision.kind == "none_of_these"
    assert (lesion.predictions, lesion.sums, lesion.malignant_probability) == ((), (), None)
    assert "no all-clear" in lesion.caveat
    both = np.concatenate([away, centre(model, "nev")[None]])
    assert model.classify(both, Patient()).predictions == model.classify(both[1:], Patient()).predictions


def test_several_photos_are_one_answer_whatever_their_order(model: PhoneLesions) -> None:
    views = np.stack([centre(model, "nev"), centre(model, "bcc")])
    first, second = model.classify(views, Patient()), model.classify(views[::-1], Patient())
    assert first.malignant_probability == pytest.approx(second.malignant_probability)
    nevus, carcinoma = (model.classify(views[place : place + 1], Patient()).malignant_probability for place in (0, 1))
    assert nevus < first.malignant_probability < carcinoma


def test_age_counts_and_what_is_not_stated_does_not(model: PhoneLesions) -> None:
    photo = centre(model, "ack")[None]
    young, old = (model.probabilities(photo, Patient(age))[0] for age in (20, 80))
    assert young[CODES.index("nev")] > old[CODES.index("nev")]
    assert np.array_equal(model.probabilities(photo, Patient(sex="male")), model.probabilities(photo, Patient()))
    assert np.all(features(photo, [Patient(body_site="unknown")])[0, -6:] == 0)


def test_the_caveat_tells_the_measured_sensitivity_and_is_no_all_clear(model: PhoneLesions) -> None:
    lesion = model.classify(centre(model, "nev")[None], Patient())
    assert "no all-clear" in lesion.caveat
    assert lesion.sensitivity is not None
    assert 0.5 < lesion.sensitivity < 1


def test_the_file_that_ships_is_small_and_tells_where_it_comes_from(model: PhoneLesions) -> None:
    facts = json.loads(FILE.read_text())
    assert FILE.stat().st_size < 100_000
    assert model.encoder == EFFICIENTNET_LITE0.name
    assert model.weights.shape == (EFFICIENTNET_LITE0.output_dim + 6, len(CODES))
    assert "CC BY 4.0" in facts["fitted"]["data"]
    for figure in facts["figures"].values():
        low, high = figure["interval"]
        assert low <= figure["value"] <= high
        assert figure["n"] > 0
        assert figure["command"].startswith("python -m ml.training.phone_lesions")


@pytest.mark.parametrize("text", ["", "{}", '{"encoder": {"name": "x"}}'])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(ArtifactError, match=r"model\.json"):
        read_phone_lesions(tmp_path / "model.json")


def test_a_tighter_limit_makes_smaller_sets(model: PhoneLesions) -> None:
    photo = centre(model, "sek")[None]
    tight, loose = (replace(model, limit=limit).classify(photo, Patient()).decision for limit in (0.1, 0.999))
    assert tight is not None
    assert loose is not None
    assert len(tight.set) < len(loose.set)
