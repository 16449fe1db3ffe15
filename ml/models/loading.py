"""Files on disk → models that have proved themselves on the golden image."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np

from ml.analysis.routing import KindOfPhoto, read_kinds
from ml.errors import ArtifactError, MLError
from ml.models import registry
from ml.models.classifier import LesionClassifier
from ml.models.compiled import AUTO, NATIVE, choose
from ml.models.encoder import Encoder
from ml.models.golden import golden_image, probabilities_agree, vectors_agree
from ml.models.runtime import Execution, Runtime, open_runtime
from ml.models.spec import ModelSpec
from ml.models.store import ModelManifest, ModelStore
from ml.skin.pigment import prepare
from ml.values import ModelCard, Patient

if TYPE_CHECKING:
    from ml.models.faces import FaceDetector

_LOG = logging.getLogger(__name__)

#: a second file that the face part needs beside the served one
LANDMARK_FILE = "face_landmark.tflite"


@dataclass(frozen=True)
class Models:
    """Loaded models. ``faces`` is None where face isolation is switched off. ``kind_encoder`` is the one whose
    embeddings ``kinds`` reads: often ``encoder`` itself."""

    encoder: Encoder
    classifier: LesionClassifier
    faces: FaceDetector | None
    cards: tuple[ModelCard, ...]
    kinds: KindOfPhoto
    kind_encoder: Encoder


def check_models(models_dir: Path, names: Iterable[str], *, engine: str = NATIVE, gpu: bool = False) -> None:
    """Verify the served files of each named model, and, where compiled models were asked for, that there are some that
    may be used. No framework is imported. Raises ArtifactError."""
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
    """Load and check the models.

    ``threads`` is the number of intra-op threads of each framework; ``callers`` how many analyses may run at once;
    ``engine`` as ml.models.compiled.choose takes it. A framework that runs no model is not imported. ``mmap``: compiled
    weights are shared between processes. Raises ArtifactError if a file, a signature or an answer to the golden image
    is not what it should be.
    """
    store = ModelStore(models_dir)
    cv2.setNumThreads(threads)
    prepare()
    loader = _Loader(store, engine, Execution(threads, callers, gpu, mmap, sizes_pools=True))
    loaded_encoder = loader.encoder(registry.find(encoder, "encoder"))
    loaded_classifier = loader.classifier(registry.find(classifier, "classifier"))
    detector = load_faces(store) if faces else None
    cards = [
        _card(loaded_encoder.spec, loaded_encoder.runtime),
        _card(loaded_classifier.spec, loaded_classifier.runtime),
    ]
    if detector is not None:
        spec = registry.MEDIAPIPE_FACE
        cards.append(ModelCard(spec.name, spec.version, spec.framework, spec.framework, spec.licence))
    heads = read_kinds()
    kind_encoder = loaded_encoder
    if loaded_encoder.fingerprint != heads.fingerprint:
        kind_encoder = loader.encoder(registry.find(heads.encoder, "encoder"))
    if kind_encoder.fingerprint != heads.fingerprint:
        raise ArtifactError(
            f"The heads that tell the kind of a photo were fitted to other weights of {heads.encoder}. "
            "Install the service again, or fit them: python -m research.photo_kind"
        )
    return Models(loaded_encoder, loaded_classifier, detector, tuple(cards), KindOfPhoto(heads), kind_encoder)


def load_encoder(models_dir: Path, name: str, *, threads: int, gpu: bool = False, engine: str = NATIVE) -> Encoder:
    """The encoder alone, as the index builder needs it; OpenCV has as many ``threads``. Raises ArtifactError."""
    cv2.setNumThreads(threads)
    loader = _Loader(ModelStore(models_dir), engine, Execution(threads, callers=1, gpu=gpu))
    return loader.encoder(registry.find(name, "encoder"))


def load_classifier(models_dir: Path, name: str, *, threads: int, engine: str = NATIVE) -> LesionClassifier:
    """The classifier alone. Raises ArtifactError."""
    loader = _Loader(ModelStore(models_dir), engine, Execution(threads, callers=1))
    return loader.classifier(registry.find(name, "classifier"))


def load_faces(store: ModelStore) -> FaceDetector:
    """The face detector alone. Raises ArtifactError where its files are missing."""
    from ml.models.faces import FaceDetector

    spec = registry.MEDIAPIPE_FACE
    store.verify(spec, sources=False)
    return FaceDetector(store.served(spec), store.folder(spec) / LANDMARK_FILE)


_Model = TypeVar("_Model")


@dataclass(frozen=True)
class _Loader:
    """Loads each model compiled where that is wanted and possible, and natively otherwise."""

    store: ModelStore
    wanted: str
    execution: Execution

    def encoder(self, spec: ModelSpec) -> Encoder:
        return self._load(spec, self._encoder)

    def classifier(self, spec: ModelSpec) -> LesionClassifier:
        return self._load(spec, self._classifier)

    def _load(self, spec: ModelSpec, load: Callable[[ModelSpec, Path | None], _Model]) -> _Model:
        """What the record promises may still fail; then the model runs natively, unless that is not wanted."""
        compiled = choose(self.store, spec, self.wanted, gpu=self.execution.gpu)
        try:
            return load(spec, compiled)
        except MLError as error:
            if compiled is None or self.wanted != AUTO:
                raise
            _LOG.warning("%s runs natively: %s", spec.name, error.message)
            return load(spec, None)

    def _encoder(self, spec: ModelSpec, compiled: Path | None) -> Encoder:
        manifest = self._manifest(spec, compiled)
        encoder = Encoder(spec, self._open(spec, compiled), manifest.fingerprint)
        vector = encoder.embed([golden_image()])[0]
        if manifest.golden is not None and not vectors_agree(vector, np.array(manifest.golden, np.float32)):
            raise _not_golden(spec, compiled)
        return encoder

    def _classifier(self, spec: ModelSpec, compiled: Path | None) -> LesionClassifier:
        manifest = self._manifest(spec, compiled)
        classifier = LesionClassifier(spec, self._open(spec, compiled))
        found = classifier.probabilities([golden_image()], Patient())[0]
        if manifest.golden is not None and not probabilities_agree(found, np.array(manifest.golden, np.float32)):
            raise _not_golden(spec, compiled)
        return classifier

    def _manifest(self, spec: ModelSpec, compiled: Path | None) -> ModelManifest:
        """``choose`` has verified compiled files; the native ones are not touched if they are not loaded."""
        return self.store.verify(spec, sources=False) if compiled is None else self.store.manifest(spec)

    def _open(self, spec: ModelSpec, compiled: Path | None) -> Runtime:
        return open_runtime(spec, self.store.served(spec), compiled, self.execution)


def _card(spec: ModelSpec, runtime: Runtime) -> ModelCard:
    return ModelCard(spec.name, spec.version, spec.framework, f"{runtime.name} {runtime.version}", spec.licence)


def _not_golden(spec: ModelSpec, compiled: Path | None) -> ArtifactError:
    how, step = ("natively", "fetch") if compiled is None else ("compiled", "prepare")
    return ArtifactError(
        f"{spec.name} {spec.version}, run {how}, does not reproduce its golden output on this machine. "
        f"Do it again: python -m ml {step} {spec.name} --force"
    )
