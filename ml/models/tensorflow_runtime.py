"""Runs TensorFlow SavedModels through their fixed signature."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.errors import ArtifactError, BackendError
from ml.models.tensorflow_import import tf

_SIGNATURE = "serving_default"


def configure(threads: int, callers: int, gpu: bool) -> None:
    """Size TensorFlow's pools; must come before its first operation. ``callers`` analyses may run side by side."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    # One inter-op thread would make parallel callers wait for each other.
    tf.config.threading.set_inter_op_parallelism_threads(max(2, callers))
    if not gpu:
        tf.config.set_visible_devices([], "GPU")


class SavedModelBackend:
    """A SavedModel whose signature takes ``inputs`` (names, in the order of ``run``'s arguments)."""

    framework = "tensorflow"
    version = str(tf.__version__)

    def __init__(self, path: Path, *, inputs: tuple[str, ...], output: str) -> None:
        self._inputs, self._output = inputs, output
        try:
            self._model = tf.saved_model.load(str(path))
            self._signature = self._model.signatures[_SIGNATURE]
        except Exception as error:
            raise ArtifactError(f"{path} cannot be loaded by TensorFlow {self.version}. Fetch it again.") from error
        self._check_signature(path)

    def _check_signature(self, path: Path) -> None:
        expected = set(self._inputs)
        found = set(self._signature.structured_input_signature[1])
        if found != expected or self._output not in self._signature.structured_outputs:
            raise ArtifactError(
                f"{path} takes {sorted(found)} and gives {sorted(self._signature.structured_outputs)}; "
                f"{sorted(expected)} → '{self._output}' was expected. It is another model than its name says."
            )

    def run(self, *inputs: NDArray[np.generic]) -> NDArray[np.float32]:
        return self._call(*(tf.constant(array) for array in inputs))

    def _call(self, *tensors: tf.Tensor) -> NDArray[np.float32]:
        try:
            outputs = self._signature(**dict(zip(self._inputs, tensors, strict=True)))
            return np.asarray(outputs[self._output].numpy(), dtype=np.float32)
        except tf.errors.OpError as error:
            raise BackendError("The TensorFlow model failed on this photo.") from error


class ExampleModelBackend(SavedModelBackend):
    """A SavedModel that wants each photo as a serialized tf.Example holding a PNG (``image/encoded``)."""

    def run(self, *inputs: NDArray[np.generic]) -> NDArray[np.float32]:
        (photos,) = inputs
        return self._call(tf.constant([_example(photo) for photo in photos]))


def _example(photo: NDArray[np.generic]) -> bytes:
    """``photo``: (h, w, 3), 0–255."""
    bgr = cv2.cvtColor(np.rint(photo.astype(np.float32)).astype(np.uint8), cv2.COLOR_RGB2BGR)
    png = cv2.imencode(".png", bgr)[1].tobytes()
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[png]))
    example = tf.train.Example(features=tf.train.Features(feature={"image/encoded": feature}))
    return bytes(example.SerializeToString())
