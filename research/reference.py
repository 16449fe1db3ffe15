"""``python -m research.reference URL FOLDER``: compare a running service with the published model.

FOLDER contains JPEG photos of at most 2,048 pixels. The reference is the published Keras model on the same pixels,
resized with ``tf.image.resize`` and for the same person. Prints the largest difference of a lesion probability.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import requests
import tensorflow as tf

from ml.imaging.decode import decode
from ml.models.patient import metadata_vector
from ml.models.registry import SKLESION
from ml.models.store import ModelStore
from ml.values import Patient

#: a stated person, because unknown facts are filled in by the service, and marked as unknown by the model's authors
_PERSON = Patient(age=45, sex="female", body_site="trunk")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    options = parser.parse_args(arguments)
    keras_file = ModelStore(options.models).folder(SKLESION) / "source" / "model.keras"
    model = tf.keras.models.load_model(keras_file, compile=False)
    metadata = tf.constant(metadata_vector(_PERSON)[None])
    differences = []
    for path in sorted(options.folder.glob("*.jpg")):
        photo = path.read_bytes()
        resized = tf.image.resize(tf.constant(decode(photo).rgb)[None], SKLESION.preprocess.size)
        expected = model([resized, metadata], training=False).numpy()[0]
        differences.append(float(np.abs(_served(options.url, photo) - expected).max()))
    print(f"{len(differences)} photos, largest difference of a probability: {max(differences):.2g}")
    return 0


def _served(url: str, photo: bytes) -> np.ndarray:
    asked = {"modality": "dermatoscopic", "detail": "full", **asdict(_PERSON)}
    answer = requests.post(f"{url}/api/analyze/skin", files={"image": photo}, data=asked, timeout=60).json()
    by_code = {one["code"]: one["probability"] for one in answer["lesion"]["raw_predictions"]}
    codes = SKLESION.lesion.codes if SKLESION.lesion else ()
    return np.array([by_code[code] for code in codes])


if __name__ == "__main__":
    sys.exit(main())
