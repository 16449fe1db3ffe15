"""The lesion classifier: photos of one lesion → calibrated probabilities of its classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml.deadline import Deadline
from ml.models.preprocess import model_inputs
from ml.models.runtime import Output, Runtime, run_each
from ml.models.spec import LesionClass, LesionOutput, ModelSpec
from ml.values import RGB, Lesion, LesionSum, Patient, Prediction

#: steps along rows and columns that mirror a photo: not at all, left to right, top to bottom, and both
_FLIPS = ((1, 1), (1, -1), (-1, 1), (-1, -1))


class LesionClassifier:
    """A lesion classifier. Its inputs are a photo and, if its spec says so, facts about the person."""

    def __init__(self, spec: ModelSpec, runtime: Runtime) -> None:
        """Raises ValueError if ``spec`` describes no lesion classifier."""
        if spec.lesion is None:
            raise ValueError(f"{spec.name} is not a lesion classifier")
        self.spec = spec
        self.runtime = runtime
        self.output = spec.lesion

    def predict(
        self, photos: Sequence[RGB], patient: Patient, deadline: Deadline | None = None, *, thorough: bool = False
    ) -> Output:
        """The raw probabilities (n, classes), 0–1, of n ``photos`` (H, W, 3), in the order of ``output.classes``.

        ``thorough``: each is the mean over the photo and its three mirror images, which takes four runs. A lesion has
        no up or down, so the four are equally good views of it.

        Unknown facts about the person are replaced by their means (ml.models.patient.filled_metadata). Raises
        ModelError. Raises DeadlineExceededError if the time is over before a run.
        """
        flips = _FLIPS if thorough else _FLIPS[:1]
        views = [photo[::down, ::across] for photo in photos for down, across in flips]
        inputs = model_inputs(self.spec, views, patient, fill=True)
        found = run_each(self.spec, self.runtime, inputs, "classify", deadline)
        return np.asarray(found.reshape(len(photos), len(flips), -1).mean(axis=1))

    def classify(
        self, photos: Sequence[RGB], patient: Patient, deadline: Deadline | None = None, *, thorough: bool = False
    ) -> Lesion:
        """One calibrated answer for all photos of one lesion. Raises what ``predict`` does."""
        output = self.output.thorough if thorough and self.output.thorough else self.output
        return to_lesion(
            self.spec.name, output, combine_views(self.predict(photos, patient, deadline, thorough=thorough))
        )


def combine_views(probabilities: Output) -> Output:
    """Probabilities (n, classes) of n photos of one lesion → (classes,): their geometric mean, normalised."""
    if len(probabilities) == 1:
        return np.asarray(probabilities[0])
    mean = np.log(np.maximum(probabilities.astype(np.float64), 1e-12)).mean(axis=0)
    combined = np.exp(mean - mean.max())
    return np.asarray(combined / combined.sum(), dtype=np.float32)


def soften(probabilities: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Temperature scaling of probabilities (…, C): p^(1 / temperature), normalised (Guo et al. 2017)."""
    logs = np.log(np.maximum(probabilities.astype(np.float64), 1e-12)) / temperature
    raised = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), np.float64)


def to_lesion(model: str, output: LesionOutput, probabilities: Output) -> Lesion:
    """The calibrated answer. ``probabilities`` (classes,) are raw, in the order of ``output.classes``."""
    fit = output.calibration
    predictions = ranked(output.classes, probabilities if fit is None else soften(probabilities, fit.temperature))
    malignant = sum(one.probability for one in predictions if one.code in output.malignant)
    return Lesion(
        model=model,
        predictions=predictions,
        malignant_probability=malignant,
        raw_predictions=ranked(output.classes, probabilities),
        definition=output.definition,
        caveat=output.caveat,
        sensitivity=None if fit is None else fit.sensitivity,
        sums=(LesionSum("cancer_or_precancerous", output.malignant, malignant),),
    )


def ranked(classes: Sequence[LesionClass], probabilities: NDArray[np.floating]) -> tuple[Prediction, ...]:
    """The ``classes`` with their ``probabilities`` (n,), most probable first."""
    found = [
        Prediction(one.code, one.name, one.icd_10, probability)
        for one, probability in zip(classes, probabilities.tolist(), strict=True)
    ]
    return tuple(sorted(found, key=lambda prediction: -prediction.probability))
