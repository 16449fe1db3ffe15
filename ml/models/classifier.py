"""Dermatoscopic photos → the seven lesion classes of HAM10000."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml.deadline import Deadline
from ml.models.preprocess import to_batch
from ml.models.registry import LESION_CODES
from ml.models.runtime import Runtime, run_each
from ml.models.spec import ModelSpec
from ml.patient import metadata_vector
from ml.values import RGB, Lesion, Patient, Prediction

#: code → (name, ICD-10); names as the HAM10000 paper gives them
CLASSES = {
    "akiec": ("Actinic keratosis / intraepithelial carcinoma", "L57.0"),
    "bcc": ("Basal cell carcinoma", "C44.91"),
    "bkl": ("Benign keratosis-like lesion", "L82.1"),
    "df": ("Dermatofibroma", "D23.9"),
    "mel": ("Melanoma", "C43.9"),
    "nv": ("Melanocytic nevus", "D22.9"),
    "vasc": ("Vascular lesion", "D18.01"),
}
MALIGNANT = ("akiec", "bcc", "mel")
#: what the logarithms of the model's output are divided by: the least negative log-likelihood (95% interval 1.70 to
#: 2.56) by `python -m benchmarks.lesion FOLDER` on 70 photos of the ISIC 2018 task 3 test set, ten a class
TEMPERATURE = 2.08
#: the calibrated malignant probability from which sensitivity is stated
THRESHOLD = 0.30
#: share of malignant lesions at or above THRESHOLD (95% interval .70 to .95), on the same photos by the same command
SENSITIVITY = 26 / 30
DEFINITION = "malignant = " + " + ".join(MALIGNANT) + " (akiec includes precancerous actinic keratosis)"
CAVEAT = (
    "Made for dermatoscopic close-ups of one lesion; it was not trained to say 'none of these'. A low malignant "
    "probability is no all-clear: of 30 malignant lesions in 70 test photos, 26 (95% interval 70–95%) got a malignant "
    f"probability of {THRESHOLD:.0%} or more, and 4 got less. Have a changing or worrying lesion seen by a doctor."
)


class LesionClassifier:
    """The seven-class lesion model, fed with a photo and what is known of the person."""

    def __init__(self, spec: ModelSpec, runtime: Runtime) -> None:
        self.spec = spec
        self.runtime = runtime

    def probabilities(
        self, photos: Sequence[RGB], patient: Patient, deadline: Deadline | None = None
    ) -> NDArray[np.float32]:
        """(n, 7) softmax outputs in LESION_CODES' order, one row a photo.

        Raises BackendError, and what ``deadline.check`` does if it is over before all photos have been started.
        """
        return run_each(self.spec, self.runtime, self._inputs(photos, patient), "classify", deadline)

    def classify(self, photos: Sequence[RGB], patient: Patient, deadline: Deadline | None = None) -> Lesion:
        """One answer for all views of one lesion: their mean log-probability, renormalised and calibrated. Raises what
        ``probabilities`` does."""
        return to_lesion(self.spec.name, combine_views(self.probabilities(photos, patient, deadline)))

    def _inputs(self, photos: Sequence[RGB], patient: Patient) -> list[NDArray[np.float32]]:
        metadata = np.repeat(metadata_vector(patient)[None], len(photos), axis=0)
        return [to_batch(photos, self.spec.preprocess), metadata]


def combine_views(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, classes) → (classes,): the normalised geometric mean."""
    if len(probabilities) == 1:
        return np.asarray(probabilities[0])
    mean = np.log(np.maximum(probabilities.astype(np.float64), 1e-12)).mean(axis=0)
    combined = np.exp(mean - mean.max())
    return np.asarray(combined / combined.sum(), dtype=np.float32)


def soften(probabilities: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """(…, C) → (…, C): temperature scaling (Guo et al. 2017), p^(1 / temperature), normalised. Keeps the order."""
    logs = np.log(np.maximum(probabilities.astype(np.float64), 1e-12)) / temperature
    raised = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), np.float64)


def to_lesion(model: str, probabilities: NDArray[np.float32]) -> Lesion:
    """``probabilities``: (7,) the model's own, in LESION_CODES' order."""
    predictions = _ranked(soften(probabilities, TEMPERATURE))
    return Lesion(
        model=model,
        predictions=predictions,
        malignant_probability=sum(one.probability for one in predictions if one.code in MALIGNANT),
        raw_predictions=_ranked(probabilities),
        definition=DEFINITION,
        caveat=CAVEAT,
        sensitivity=SENSITIVITY,
    )


def _ranked(probabilities: NDArray[np.floating]) -> tuple[Prediction, ...]:
    """(7,) in LESION_CODES' order → the most probable first."""
    by_code = dict(zip(LESION_CODES, probabilities.tolist(), strict=True))
    return tuple(Prediction(code, *CLASSES[code], by_code[code]) for code in sorted(by_code, key=lambda c: -by_code[c]))
