"""The lesion classifier around its model: metadata in, views combined, classes named and ranked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml.errors import DeadlineExceededError
from ml.models.classifier import LesionClassifier, combine_views, soften, to_lesion
from ml.models.patient import filled_metadata, metadata_vector
from ml.models.registry import EFFICIENTNET_LITE0, SKLESION
from ml.models.spec import Calibration, LesionClass, LesionOutput, ModelSpec, PreprocessSpec
from ml.values import Patient, Prediction
from tests.unit.ml.case import StopsAt
from tests.unit.ml.photo_files import noise
from tests.unit.ml.tiny_models import RecordingRuntime

OUTPUT = SKLESION.lesion
assert OUTPUT is not None
assert OUTPUT.calibration is not None
SOFTMAX = np.array([0.02, 0.08, 0.1, 0.05, 0.3, 0.4, 0.05], np.float32)


def by_code(predictions: tuple[Prediction, ...]) -> dict[str, float]:
    return {one.code: one.probability for one in predictions}


def test_the_raw_predictions_of_a_single_view_are_the_models_own() -> None:
    classifier = LesionClassifier(SKLESION, RecordingRuntime(lambda images, _: np.tile(SOFTMAX, (len(images), 1))))
    lesion = classifier.classify([noise(40, 40)], Patient())
    assert by_code(lesion.raw_predictions) == dict(zip(OUTPUT.codes, SOFTMAX.tolist(), strict=True))
    assert lesion.model == "sklesion"


def test_predictions_are_less_sure_than_the_raw_ones_and_in_the_same_order() -> None:
    lesion = to_lesion("sklesion", OUTPUT, SOFTMAX)
    assert [p.code for p in lesion.raw_predictions] == [p.code for p in lesion.predictions]
    assert sum(p.probability for p in lesion.predictions) == pytest.approx(1)
    assert lesion.predictions[0].probability < lesion.raw_predictions[0].probability
    assert lesion.predictions[-1].probability > lesion.raw_predictions[-1].probability


def test_the_malignant_probability_is_the_sum_of_the_malignant_predictions() -> None:
    lesion = to_lesion("sklesion", OUTPUT, SOFTMAX)
    malignant = [p.probability for p in lesion.predictions if p.code in OUTPUT.malignant]
    assert len(malignant) == 3
    assert lesion.malignant_probability == pytest.approx(sum(malignant))
    assert lesion.malignant_probability != pytest.approx(0.02 + 0.08 + 0.3, abs=0.01)  # what the raw ones sum to


def test_the_views_are_combined_before_they_are_calibrated() -> None:
    other = np.roll(SOFTMAX, 2)
    views = iter([SOFTMAX, other])
    classifier = LesionClassifier(SKLESION, RecordingRuntime(lambda images, _: next(views)[None]))
    lesion = classifier.classify([noise(40, 40), noise(40, 40)], Patient())
    combined = combine_views(np.stack([SOFTMAX, other]))
    calibrated = dict(zip(OUTPUT.codes, soften(combined, OUTPUT.calibration.temperature).tolist(), strict=True))
    assert by_code(lesion.predictions) == pytest.approx(calibrated)
    assert by_code(lesion.raw_predictions) == pytest.approx(dict(zip(OUTPUT.codes, combined.tolist(), strict=True)))


def test_softening_by_two_takes_square_roots() -> None:
    roots = np.sqrt(SOFTMAX.astype(np.float64))
    assert soften(SOFTMAX, 2.0) == pytest.approx(roots / roots.sum())
    assert soften(np.stack([SOFTMAX, SOFTMAX]), 1.0) == pytest.approx(np.stack([SOFTMAX, SOFTMAX]))


def test_the_model_sees_the_photo_in_its_scale_and_what_is_known_of_the_person() -> None:
    seen = []
    runtime = RecordingRuntime(
        lambda images, rest: (seen.append((images, rest)), np.tile(SOFTMAX, (len(images), 1)))[1]
    )
    patient = Patient(age=40, sex="male", body_site="trunk")
    LesionClassifier(SKLESION, runtime).predict([np.full((90, 60, 3), 200, np.uint8)] * 2, patient)
    assert len(seen) == 2
    for images, metadata in seen:
        assert images.shape == (1, 254, 254, 3)
        assert images.dtype == np.float32
        assert (images == 200).all()
        assert np.array_equal(metadata, metadata_vector(patient)[None])


def test_what_is_not_known_of_the_person_is_filled_in() -> None:
    seen = []
    runtime = RecordingRuntime(lambda _, rest: (seen.append(rest), SOFTMAX[None])[1])
    LesionClassifier(SKLESION, runtime).predict([noise(40, 40)], Patient(age=40))
    assert np.array_equal(seen[0], filled_metadata(Patient(age=40))[None])


def test_views_are_combined_by_their_mean_log_probability() -> None:
    first, second = SOFTMAX, SOFTMAX[::-1].copy()
    expected = np.sqrt(first * second) / np.sqrt(first * second).sum()
    assert combine_views(np.stack([first, second])) == pytest.approx(expected, abs=1e-6)


def test_equal_views_change_nothing_and_order_does_not_matter() -> None:
    other = np.roll(SOFTMAX, 3)
    assert combine_views(np.stack([SOFTMAX] * 3)) == pytest.approx(SOFTMAX, abs=1e-6)
    assert combine_views(np.stack([SOFTMAX, other])) == pytest.approx(combine_views(np.stack([other, SOFTMAX])))


def test_a_class_that_one_view_excludes_does_not_break_the_sum() -> None:
    sure = np.array([0, 0, 0, 0, 1, 0, 0], np.float32)
    combined = combine_views(np.stack([sure, SOFTMAX]))
    assert np.isfinite(combined).all()
    assert combined.sum() == pytest.approx(1)
    assert combined.argmax() == 4


def seeing(seen: list[np.ndarray]) -> RecordingRuntime:
    """A runtime that remembers the images, and answers with the share of light in the first and the second half of the
    rows, and of the columns."""

    def answer(images: np.ndarray, _: np.ndarray) -> np.ndarray:
        seen.append(images[0])
        rows, columns = images[0].mean(axis=(1, 2)), images[0].mean(axis=(0, 2))
        shares = np.array([*(half.sum() for line in (rows, columns) for half in np.split(line, 2)), 1, 1, 1])
        return (shares / shares.sum())[None].astype(np.float32)

    return RecordingRuntime(answer)


def test_a_thorough_answer_is_the_mean_over_the_mirror_images() -> None:
    photo, seen = noise(254, 254), list[np.ndarray]()
    classifier = LesionClassifier(SKLESION, seeing(seen))
    single, mean = classifier.predict([photo], Patient())[0], classifier.predict([photo], Patient(), thorough=True)[0]
    flips = [photo, photo[:, ::-1], photo[::-1], photo[::-1, ::-1]]
    assert all(np.array_equal(one, flip) for one, flip in zip(seen[1:], flips, strict=True))
    assert single[0] != pytest.approx(single[1], abs=1e-6)
    assert mean[:2] == pytest.approx([single[:2].mean()] * 2)
    assert mean[2:4] == pytest.approx([single[2:4].mean()] * 2)


def test_a_mirrored_photo_gets_the_same_thorough_answer() -> None:
    photo = noise(300, 211)
    classifier = LesionClassifier(SKLESION, seeing([]))
    found = classifier.predict([photo, photo[:, ::-1], photo[::-1]], Patient(), thorough=True)
    assert found == pytest.approx(np.stack([found[0]] * 3), abs=1e-6)


def test_a_thorough_answer_is_calibrated_separately_and_says_its_own_sensitivity() -> None:
    assert OUTPUT.thorough is not None
    fit = Calibration(temperature=3.0, threshold=0.5, photos=9, malignant=4, found=3, interval=(0.3, 0.95))
    other = replace(OUTPUT.thorough, calibration=fit, caveat="Of 4 malignant ones, 3.")
    spec = replace(SKLESION, lesion=replace(OUTPUT, thorough=other))
    classifier = LesionClassifier(spec, RecordingRuntime(lambda images, _: np.tile(SOFTMAX, (len(images), 1))))
    lesion = classifier.classify([noise(40, 40)] * 2, Patient(), thorough=True)
    expected = dict(zip(OUTPUT.codes, soften(SOFTMAX, 3.0).tolist(), strict=True))
    assert by_code(lesion.predictions) == pytest.approx(expected, abs=1e-6)
    assert (lesion.sensitivity, lesion.caveat) == (0.75, "Of 4 malignant ones, 3.")
    assert classifier.classify([noise(40, 40)], Patient()).caveat == OUTPUT.caveat


@pytest.mark.parametrize(("thorough", "runs"), [(False, 2), (True, 8)])
def test_the_deadline_is_checked_before_each_run(thorough: bool, runs: int) -> None:
    runtime = RecordingRuntime(lambda images, _: np.tile(SOFTMAX, (len(images), 1)))
    classifier = LesionClassifier(SKLESION, runtime)
    with pytest.raises(DeadlineExceededError) as stopped:
        classifier.classify([noise(40, 40)] * 2, Patient(), StopsAt(runs - 1), thorough=thorough)
    assert stopped.value.details["stage"] == "classify"
    assert runtime.batches == [1] * (runs - 1)


def test_predictions_are_ranked_and_say_what_counts_as_malignant() -> None:
    lesion = to_lesion("m", OUTPUT, SOFTMAX)
    for predictions in (lesion.predictions, lesion.raw_predictions):
        probabilities = [p.probability for p in predictions]
        assert probabilities == sorted(probabilities, reverse=True)
        assert predictions[0].code == "nv"
    assert all(code in lesion.definition for code in OUTPUT.malignant)
    assert "no all-clear" in lesion.caveat


def test_every_class_has_a_name_and_a_code() -> None:
    assert OUTPUT.codes == ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
    assert OUTPUT.malignant == ("akiec", "bcc", "mel")
    assert all(one.name and one.icd_10 for one in OUTPUT.classes)


def test_the_caveat_states_what_was_measured() -> None:
    assert "of 30 malignant lesions in 70 test photos, 26 (95% interval 70–95%) got" in OUTPUT.caveat
    assert "malignant probability of 30% or more, and 4 got less" in OUTPUT.caveat


def test_six_probabilities_for_seven_classes_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        to_lesion("m", OUTPUT, SOFTMAX[:6])


# another classifier

OTHER: ModelSpec = replace(
    SKLESION,
    name="other",
    output_dim=2,
    preprocess=PreprocessSpec(size=(8, 8)),
    input_names=("images",),
    lesion=LesionOutput(
        (LesionClass("scc", "Squamous cell carcinoma", "C44.92", malignant=True), LesionClass("wart", "Wart", "B07.9")),
        definition="malignant = scc",
        caveat="Made for a test.",
        limits="Made from nothing.",
    ),
)


def test_another_classifier_answers_with_its_own_classes_and_words() -> None:
    runtime = RecordingRuntime(lambda images: np.array([[0.25, 0.75]], np.float32))
    lesion = LesionClassifier(OTHER, runtime).classify([noise(40, 40)], Patient(age=40))
    assert lesion.predictions == (
        Prediction("wart", "Wart", "B07.9", 0.75),
        Prediction("scc", "Squamous cell carcinoma", "C44.92", 0.25),
    )
    assert lesion.predictions == lesion.raw_predictions
    assert lesion.malignant_probability == 0.25
    assert (lesion.model, lesion.definition, lesion.caveat) == ("other", "malignant = scc", "Made for a test.")
    assert lesion.sensitivity is None


def test_a_classifier_without_a_separate_calibration_can_be_thorough() -> None:
    runtime = RecordingRuntime(lambda images: np.array([[0.25, 0.75]], np.float32))
    classifier = LesionClassifier(OTHER, runtime)
    thorough = classifier.classify([noise(40, 40)], Patient(), thorough=True)
    assert runtime.batches == [1] * 4
    assert thorough == classifier.classify([noise(40, 40)], Patient())


def test_another_classifier_has_its_own_temperature_and_sensitivity() -> None:
    assert OTHER.lesion is not None
    fit = Calibration(temperature=2.0, threshold=0.5, photos=9, malignant=4, found=3, interval=(0.3, 0.95))
    lesion = to_lesion("other", replace(OTHER.lesion, calibration=fit), np.array([0.1, 0.9], np.float32))
    assert [one.probability for one in lesion.predictions] == pytest.approx([0.75, 0.25])
    assert lesion.sensitivity == 0.75


def test_an_encoder_is_refused() -> None:
    with pytest.raises(ValueError, match="efficientnet-lite0 is not a lesion classifier"):
        LesionClassifier(EFFICIENTNET_LITE0, RecordingRuntime(lambda images: images))
