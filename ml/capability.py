"""The self-test: one real photo through every part, and what each part says of itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.models.classifier import LesionClassifier
from ml.models.compiled import ONNXRUNTIME
from ml.models.encoder import Encoder
from ml.models.golden import probabilities_agree, vectors_agree
from ml.models.loading import Models
from ml.models.spec import ModelSpec
from ml.native_check import NativeRun
from ml.portrait import portrait
from ml.skin.frame import Frame, Subject
from ml.skin.measure import measure_skin
from ml.skin.quality import assess
from ml.values import RGB, Patient, Searcher

log = logging.getLogger(__name__)

#: names of models → how each ran natively
NativeRuns = Callable[[Sequence[str]], Mapping[str, NativeRun]]


@dataclass(frozen=True)
class CapabilityPart:
    """``ms`` is how long the part took; ``reason`` says why it failed, or what it works on."""

    name: str
    ok: bool
    version: str | None
    model: str | None
    ms: float | None
    reason: str | None = None


class PartError(Exception):
    """A part answered, but not sensibly; the message says how."""


def run(models: Models, searcher: Searcher, native: NativeRuns = lambda names: {}) -> tuple[CapabilityPart, ...]:
    """Test every part on scikit-image's public-domain portrait. One part's failure stops no other.

    ``native`` runs the models that are served compiled in the framework that they were published for.
    """
    photo = portrait()
    index = searcher.info
    outputs: dict[str, NDArray[np.float32]] = {}
    encoder, classifier, faces = models.encoder, models.classifier, models.faces

    def embed() -> None:
        outputs["vector"] = encoder.embed([photo])

    def classify() -> None:
        outputs["probabilities"] = classifier.probabilities([photo], Patient())
        _require(abs(float(outputs["probabilities"].sum()) - 1.0) < 1e-3, "the probabilities do not sum to 1")

    in_frameworks = [
        _Served(
            _test("pytorch", encoder.runtime.version, _name(encoder.spec), embed), encoder, "vector", vectors_agree
        ),
        _Served(
            _test("tensorflow", classifier.runtime.version, _name(classifier.spec), classify),
            classifier,
            "probabilities",
            probabilities_agree,
        ),
    ]
    parts = [
        *_with_native(in_frameworks, outputs, native),
        _test(
            "faiss", searcher.version, f"{index.images} photos × {index.dimension}", lambda: _search(searcher, outputs)
        ),
        _test("scin_index", index.built_at, index.name, lambda: _describe(searcher)),
        _test(
            "image_processing",
            f"opencv {cv2.__version__}, scikit-image {version('scikit-image')}",
            None,
            lambda: _measure(photo),
        ),
    ]
    if faces is not None:
        card = next(card for card in models.cards if card.framework == "litert")
        parts.append(_test("faces", card.engine, f"{card.name} {card.version}", lambda: _find_face(models, photo)))
    return tuple(parts)


@dataclass(frozen=True)
class _Served:
    """A framework's part, as the model that is served in its stead or by it answered; ``output`` names its answer."""

    part: CapabilityPart
    model: Encoder | LesionClassifier
    output: str
    agree: Callable[[NDArray[np.float32], NDArray[np.float32]], bool]


def _with_native(
    served: list[_Served], outputs: dict[str, NDArray[np.float32]], native: NativeRuns
) -> list[CapabilityPart]:
    """The parts, with what the frameworks themselves say where their models are served compiled."""
    runs = native([one.model.spec.name for one in served if one.model.runtime.name == ONNXRUNTIME])
    return [_judge(one, outputs, runs.get(one.model.spec.name)) for one in served]


def _judge(served: _Served, outputs: dict[str, NDArray[np.float32]], run: NativeRun | None) -> CapabilityPart:
    part, runtime, framework = served.part, served.model.runtime, served.model.spec.framework
    if run is None:
        return part
    by = f"served by {runtime.name} {runtime.version}"
    if not part.ok:
        return replace(part, version=run.version, reason=f"{by}: {part.reason}")
    if run.problem is not None:
        return replace(part, ok=False, version=None, reason=f"{by}; {framework} could not run it: {run.problem}")
    if not served.agree(outputs[served.output][0], run.answer):
        return replace(part, ok=False, version=run.version, reason=f"{by}; {framework} gives another answer")
    reason = f"{by}; {framework} loaded and ran it in a process of its own ({run.seconds:.1f} s) and agrees"
    return replace(part, version=run.version, reason=reason)


def _test(name: str, part_version: str, model: str | None, part: Callable[[], str | None]) -> CapabilityPart:
    started = time.perf_counter()
    try:
        ok, reason = True, part()
    except PartError as error:
        ok, reason = False, str(error)
    except Exception:
        log.exception("the self-test of %s failed", name)
        ok, reason = False, "it raised an error; the log has the cause"
    return CapabilityPart(name, ok, part_version, model, (time.perf_counter() - started) * 1e3, reason)


def _name(spec: ModelSpec) -> str:
    return f"{spec.name} {spec.version}"


def _search(searcher: Searcher, outputs: dict[str, NDArray[np.float32]]) -> str | None:
    _require("vector" in outputs, "not tried: there is no embedding to search with")
    cases = searcher.search(outputs["vector"], 5).cases
    _require(len(cases) > 0, "the search found nothing")
    found = [case.similarity for case in cases]
    _require(found == sorted(found, reverse=True), "the cases are not in order of similarity")
    return None


def _describe(searcher: Searcher) -> str | None:
    info = searcher.info
    _require(info.cases > 0, "the index is empty")
    kind = "synthetic demonstration cases" if info.synthetic else "cases"
    return f"{info.cases} {kind} of {info.dataset}"


def _measure(photo: RGB) -> str | None:
    frame = Frame(photo)
    quality, skin = assess(frame), measure_skin(Subject(frame))
    _require(quality.usable and skin.tone is not None and skin.tone.ita_deg is not None, "no skin tone was measured")
    _require(bool(np.isfinite([m.value for m in skin.measurements if m.value is not None]).all()), "not a number")
    return None


def _find_face(models: Models, photo: RGB) -> str | None:
    faces = models.faces.detect(photo) if models.faces else []
    _require(len(faces) == 1, f"{len(faces)} faces were found in a portrait of one")
    return None


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise PartError(otherwise)
