"""Loads models from disk and checks that they reproduce their golden answers."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ml.errors import ArtifactError, MLError
from ml.models import registry
from ml.models.classifier import LesionClassifier
from ml.models.compiled import AUTO, NATIVE, choose
from ml.models.encoder import Encoder
from ml.models.golden import agrees, golden_image
from ml.models.kinds import KindOfPhoto, read_kinds
from ml.models.phone_lesions import PhoneLesions, read_phone_lesions
from ml.models.preprocess import model_inputs
from ml.models.runtime import Runtime, RuntimeOptions, load_runtime, run_each
from ml.models.spec import ModelSpec
from ml.models.store import ModelStore, remedy
from ml.skin import outline
from ml.values import ModelCard, Patient

if TYPE_CHECKING:
    from ml.models.faces import FaceDetector

_LOG = logging.getLogger(__name__)

#: the second file of the face model, beside the served one
LANDMARK_FILE = "face_landmark.tflite"


@dataclass(frozen=True)
class Models:
    """The loaded models. ``faces`` is None if faces are not searched for. ``cards``: of the models in use, without
    heads. The heads ``kinds`` and ``phone_lesions`` classify embeddings of ``kind_encoder``, which is usually
    ``encoder`` itself."""

    encoder: Encoder
    classifier: LesionClassifier
    faces: FaceDetector | None
    cards: tuple[ModelCard, ...]
    kinds: KindOfPhoto
    kind_encoder: Encoder
    phone_lesions: PhoneLesions


def models_in_use(encoder: str, classifier: str, *, faces: bool) -> list[str]:
    """The names of the models that a service with these choices loads, each once.

    With ``faces``, the face models are among them. The encoder for the kind of photo always is. Raises ArtifactError.
    """
    face_models = [registry.MEDIAPIPE_FACE.name] if faces else []
    return list(dict.fromkeys([encoder, classifier, *face_models, read_kinds().encoder]))


def check_models(models_dir: Path, names: Iterable[str], *, engine: str = NATIVE, gpu: bool = False) -> None:
    """Verify the served files of each named model and, if ``engine`` is ONNXRUNTIME, the compiled files too.

    Imports no framework. Raises ArtifactError.
    """
    store = ModelStore(models_dir)
    for name in names:
        spec = registry.find(name)
        store.verify(spec, sources=False)
        if engine != AUTO:
            choose(store, spec, engine, gpu=gpu)


def load_models(
    models_dir: Path,
    *,
    encoder: str,
    classifier: str,
    faces: bool,
    threads: int,
    callers: int = 2,
    gpu: bool = False,
    engine: str = NATIVE,
    mmap: bool = True,
) -> Models:
    """Load and check the models. A framework that runs no model is not imported.

    ``encoder``, ``classifier``: names. ``threads``: of one run. ``callers``: analyses that may run at once. ``engine``:
    see ml.models.compiled.choose. ``mmap``: processes share compiled weights. Raises ArtifactError if a file, a
    signature or the answer to the golden image is not as expected.
    """
    store = ModelStore(models_dir)
    cv2.setNumThreads(threads)
    outline.load()
    loader = _Loader(store, engine, RuntimeOptions(threads, callers, gpu, mmap, sizes_pools=True))
    loaded_encoder, loaded_classifier = loader.encoder(encoder), loader.classifier(classifier)
    detector = load_faces(store) if faces else None
    runtimes: list[tuple[ModelSpec, Runtime]] = [
        (loaded_encoder.spec, loaded_encoder.runtime),
        (loaded_classifier.spec, loaded_classifier.runtime),
    ]
    if detector is not None:
        runtimes.append((registry.MEDIAPIPE_FACE, detector.runtime))
    heads, phone_lesions = read_kinds(), read_phone_lesions()
    kind_encoder = loaded_encoder
    if loaded_encoder.fingerprint != heads.fingerprint:
        kind_encoder = loader.encoder(heads.encoder)
    if kind_encoder.fingerprint != heads.fingerprint:
        raise ArtifactError(
            f"The heads for the kind of photo were fitted to other weights of {heads.encoder}. "
            "Install the service again, or fit them: python -m research.photo_kind"
        )
    if phone_lesions.fingerprint != kind_encoder.fingerprint:
        raise ArtifactError(
            f"The model for phone photos of a lesion was fitted to other weights of {phone_lesions.encoder}. "
            "Install the service again, or fit it: python -m ml.training.phone_lesions"
        )
    cards = tuple(_card(spec, runtime) for spec, runtime in runtimes)
    kinds = KindOfPhoto(heads)
    return Models(loaded_encoder, loaded_classifier, detector, cards, kinds, kind_encoder, phone_lesions)


def load_encoder(models_dir: Path, name: str, *, threads: int, gpu: bool = False, engine: str = NATIVE) -> Encoder:
    """Only the encoder, for building an index. ``threads`` also applies to OpenCV. Raises ArtifactError."""
    cv2.setNumThreads(threads)
    return _Loader(ModelStore(models_dir), engine, RuntimeOptions(threads, callers=1, gpu=gpu)).encoder(name)


def load_classifier(models_dir: Path, name: str, *, threads: int, engine: str = NATIVE) -> LesionClassifier:
    """Only the classifier. Raises ArtifactError."""
    return _Loader(ModelStore(models_dir), engine, RuntimeOptions(threads, callers=1)).classifier(name)


def load_faces(store: ModelStore) -> FaceDetector:
    """Only the face detector. Raises ArtifactError if its files are missing or altered."""
    from ml.models.faces import FaceDetector

    spec = registry.MEDIAPIPE_FACE
    store.verify(spec, sources=False)
    return FaceDetector(store.served(spec), store.folder(spec) / LANDMARK_FILE)


@dataclass(frozen=True)
class _Loader:
    """Loads each model compiled if ``engine`` allows it and it is possible, and natively otherwise."""

    store: ModelStore
    engine: str
    options: RuntimeOptions

    def encoder(self, name: str) -> Encoder:
        spec = registry.find(name, "encoder")
        return Encoder(spec, *self._load(spec))

    def classifier(self, name: str) -> LesionClassifier:
        spec = registry.find(name, "classifier")
        return LesionClassifier(spec, self._load(spec)[0])

    def _load(self, spec: ModelSpec) -> tuple[Runtime, str]:
        """The runtime and the fingerprint. With AUTO, a model whose compiled files fail to load runs natively."""
        compiled = choose(self.store, spec, self.engine, gpu=self.options.gpu)
        try:
            return self._load_from(compiled, spec)
        except MLError as error:
            if compiled is None or self.engine != AUTO:
                raise
            _LOG.warning("%s runs natively: %s", spec.name, error.message)
            return self._load_from(None, spec)

    def _load_from(self, compiled: Path | None, spec: ModelSpec) -> tuple[Runtime, str]:
        # ``choose`` has verified the compiled files. The native files are read only if they are loaded.
        manifest = self.store.verify(spec, sources=False) if compiled is None else self.store.manifest(spec)
        runtime = load_runtime(spec, self.store.served(spec), compiled, self.options)
        found = run_each(spec, runtime, model_inputs(spec, [golden_image()], Patient()), "load")[0]
        if not agrees(spec, found, found if manifest.golden is None else np.array(manifest.golden, np.float32)):
            how, step = "natively", remedy(spec)
            if compiled is not None:
                how, step = "compiled", f"Compile it again: python -m ml prepare {spec.address} --force"
            raise ArtifactError(
                f"{spec.name} {spec.version}, run {how}, does not reproduce its golden output on this machine. {step}"
            )
        return runtime, manifest.fingerprint


def _card(spec: ModelSpec, runtime: Runtime) -> ModelCard:
    return ModelCard(spec.name, spec.version, spec.framework, f"{runtime.name} {runtime.version}", spec.licence)
