"""Keras files → SavedModels with a fixed signature, once, when a model is fetched."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.models.spec import ModelSpec
from ml.models.tensorflow_import import tf
from ml.patient import metadata_vector
from ml.values import RGB, Patient


def export_keras(spec: ModelSpec, folder: Path, image: RGB) -> NDArray[np.float32]:
    """Write ``folder``/saved_model from the Keras file in ``folder``/source.

    The signature is (image: (n, h, w, 3) float32 0–255, metadata: (n, 10) float32) → probabilities: (n, classes).
    Returns the Keras model's own probabilities for ``image``, resized by ``tf.image.resize`` as its authors do.
    """
    (path,) = (folder / "source").glob("*.keras")
    model = tf.keras.models.load_model(path, compile=False, safe_mode=True)
    height, width = spec.preprocess.size
    metadata = metadata_vector(Patient())[None]
    resized = tf.image.resize(tf.constant(image)[None], (height, width))
    reference = model([resized, tf.constant(metadata)], training=False).numpy()[0]

    # An exclusive signature: gradients and Keras' own saving information stay behind.
    module = tf.Module()
    module.model = model
    module.serve = tf.function(
        lambda image, metadata: {"probabilities": model([image, metadata], training=False)},
        input_signature=[
            tf.TensorSpec((None, height, width, 3), tf.float32, name="image"),
            tf.TensorSpec((None, metadata.shape[1]), tf.float32, name="metadata"),
        ],
    )
    target = folder / spec.served
    tf.saved_model.save(module, str(target), signatures={"serving_default": module.serve})
    shutil.rmtree(target / "assets", ignore_errors=True)
    return np.asarray(reference, dtype=np.float32)
