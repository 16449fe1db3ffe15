"""The model for phone photos of a lesion: what it answers, when it says none of these, and the file that ships."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.errors import ArtifactError
from ml.models.lesion_views import FINDINGS, Square, Views, around, findings
from ml.models.phone_lesions import CODES, FILE, SUMS, PhoneLesions, calibrated, conformal_set, read_phone_lesions
from ml.models.registry import EFFICIENTNET_LITE0
from ml.skin.frame import Frame, Subject
from ml.values import Patient
from tests.unit.ml.skin_images import MONK, skin_patch


@pytest.fixture(scope="module")
def model() -> PhoneLesions:
    return read_phone_lesions()


def views(*embeddings: np.ndarray) -> Views:
    """Photos whose crops look like them, and in which nothing was measured."""
    seen = np.stack(embeddings)
    return Views(seen, seen, np.full((len(seen), len(FINDINGS)), np.nan))


def centre(model: PhoneLesions, code: str) -> np.ndarray:
    """The embedding in the middle of a class."""
    return model.centres[CODES.index(code)].astype(np.float32)


def test_an_answer_is_one_distribution_with_two_named_sums(model: PhoneLesions) -> None:
    lesion = model.classify(views(centre(model, "nev")), Patient())
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
    lesion = model.classify(views(centre(model, "bcc")), Patient())
    assert lesion.decision is not None
    assert lesion.decision.kind in ("answer", "set")
    assert (lesion.decision.kind == "answer") == (len(lesion.decision.set) == 1)
    assert lesion.decision.set == tuple(one.code for one in lesion.predictions[: len(lesion.decision.set)])
    assert lesion.decision.coverage == 0.9


def test_a_set_is_never_empty() -> None:
    assert conformal_set(np.array([0.3, 0.2, 0.1]), 0.5) == 1
    assert conformal_set(np.array([0.6, 0.3, 0.1]), 0.7) == 2


def test_it_names_nothing_far_from_its_data(model: PhoneLesions) -> None:
    near, away = centre(model, "nev"), -centre(model, "nev")
    lesion = model.classify(views(away), Patient())
    assert lesion.decision is not None
    assert lesion.decision.kind == "none_of_these"
    assert (lesion.predictions, lesion.sums, lesion.malignant_probability) == ((), (), None)
    assert "no all-clear" in lesion.caveat
    both = model.classify(views(away, near), Patient())
    assert both.predictions == model.classify(views(near), Patient()).predictions


def test_several_photos_are_one_answer_whatever_their_order(model: PhoneLesions) -> None:
    pair = centre(model, "nev"), centre(model, "bcc")
    first, second = (model.classify(views(*order), Patient()) for order in (pair, pair[::-1]))
    assert first.malignant_probability == pytest.approx(second.malignant_probability)
    nevus, carcinoma = (model.classify(views(one), Patient()).malignant_probability for one in pair)
    assert nevus < first.malignant_probability < carcinoma


def test_age_counts_and_what_is_not_stated_does_not(model: PhoneLesions) -> None:
    photo = views(centre(model, "ack"))
    young, old = (model.probabilities(photo, Patient(age))[0] for age in (20, 80))
    assert young[CODES.index("nev")] > old[CODES.index("nev")]
    assert np.array_equal(model.probabilities(photo, Patient(sex="male")), model.probabilities(photo, Patient()))
    unknown = model.probabilities(photo, Patient(body_site="unknown"))
    assert np.array_equal(unknown, model.probabilities(photo, Patient()))


def test_the_measured_colours_count(model: PhoneLesions) -> None:
    photo = views(centre(model, "nev"))
    red, brown = (photo.findings.copy() for _ in range(2))
    for found, lightness, redness in ((red, -2.0, 12.0), (brown, -25.0, 2.0)):
        found[:, [FINDINGS.index("lightness_difference"), FINDINGS.index("redness_difference")]] = lightness, redness
    basal, melanoma = (
        [model.probabilities(replace(photo, findings=found), Patient())[0, CODES.index(code)] for found in (red, brown)]
        for code in ("bcc", "mel")
    )
    assert basal[0] > basal[1]
    assert melanoma[0] < melanoma[1]


def test_two_temperatures_keep_one_distribution_and_the_order_within_a_group() -> None:
    raw = np.array([0.3, 0.1, 0.05, 0.15, 0.25, 0.15])
    found = calibrated(raw, 0.5, 2.0)
    assert found.sum() == pytest.approx(1)
    assert found[:4].sum() == pytest.approx(0.36 / 0.52)
    assert np.array_equal(np.argsort(found[:4]), np.argsort(raw[:4]))
    assert found[0] / found[1] == pytest.approx(3**0.5)
    assert calibrated(raw, 1.0, 1.0) == pytest.approx(raw)


def test_the_crop_is_around_the_lesion_and_inside_the_photo() -> None:
    photo = skin_patch(MONK[3], 200, 300)
    rows, columns = np.mgrid[:200, :300]
    photo[(rows - 60) ** 2 + (columns - 230) ** 2 < 30**2] = (90, 50, 40)
    part = Subject(Frame(photo)).whole
    square = around(part)
    assert (square.down, square.across) == pytest.approx((0.3, 0.77), abs=0.03)
    assert square.of(photo).shape == square.of(np.ascontiguousarray(photo[..., ::-1])).shape
    assert 60 <= len(square.of(photo)) <= 90
    assert findings(part)[FINDINGS.index("lightness_difference")] < -20
    assert Square(0.0, 1.0, 0.5).of(photo).shape == (100, 100, 3)


def test_without_an_outline_it_is_the_middle_and_nothing_is_known() -> None:
    part = Subject(Frame(np.full((100, 120, 3), 255, np.uint8))).whole
    assert around(part) == Square(0.5, 0.5, 0.5)
    found = dict(zip(FINDINGS, findings(part), strict=True))
    assert found.pop("outline_agreement") == 0
    assert np.isnan(list(found.values())).all()


def test_the_caveat_tells_the_measured_sensitivity_and_is_no_all_clear(model: PhoneLesions) -> None:
    lesion = model.classify(views(centre(model, "nev")), Patient())
    assert "no all-clear" in lesion.caveat
    assert lesion.sensitivity is not None
    assert 0.5 < lesion.sensitivity < 1


def test_the_file_that_ships_is_small_and_tells_where_it_comes_from(model: PhoneLesions) -> None:
    facts = json.loads(FILE.read_text())
    assert FILE.stat().st_size < 100_000
    assert model.encoder == EFFICIENTNET_LITE0.name
    assert model.regression.weights.shape == (EFFICIENTNET_LITE0.output_dim + len(FINDINGS) + 8, len(CODES))
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
    photo = views(centre(model, "sek"))
    tight, loose = (replace(model, limit=limit).classify(photo, Patient()).decision for limit in (0.1, 0.999))
    assert tight is not None
    assert loose is not None
    assert len(tight.set) < len(loose.set)
