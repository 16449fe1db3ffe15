"""The self-test: one real photo through every part, and what each part says of itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import cv2
import numpy as np
from skimage import data

from ml.images import decode
from ml.loading import Models
from ml.skin.measure import measure_skin
from ml.skin.quality import assess
from ml.values import RGB, Patient, Searcher, Vectors

log = logging.getLogger(__name__)


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


def run(models: Models, searcher: Searcher) -> tuple[CapabilityPart, ...]:
    """Test every part on scikit-image's public-domain portrait. One part's failure stops no other."""
    photo = _portrait()
    index = searcher.info
    vectors: list[Vectors] = []
    encoder, classifier, faces = models.encoder, models.classifier, models.faces

    def embed() -> str | None:
        vectors.append(encoder.embed([photo]))
        return None

    parts = [
        _test("pytorch", encoder.backend.version, f"{encoder.spec.name} {encoder.spec.version}", embed),
        _test(
            "tensorflow",
            classifier.backend.version,
            f"{classifier.spec.name} {classifier.spec.version}",
            lambda: _classify(models, photo),
        ),
        _test(
            "faiss", searcher.version, f"{index.images} photos × {index.dimension}", lambda: _search(searcher, vectors)
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


def _portrait() -> RGB:
    """The portrait, by way of a JPEG: the decoder is a part too."""
    bgr = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)
    return decode(cv2.imencode(".jpg", bgr)[1].tobytes()).rgb


def _classify(models: Models, photo: RGB) -> str | None:
    probabilities = models.classifier.probabilities([photo], Patient())[0]
    _require(abs(float(probabilities.sum()) - 1.0) < 1e-3, "the probabilities do not sum to 1")
    return None


def _search(searcher: Searcher, vectors: list[Vectors]) -> str | None:
    _require(bool(vectors), "not tried: there is no embedding to search with")
    cases = searcher.search(vectors[0], 5).cases
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
    quality = assess(photo, photo.shape[1], photo.shape[0])
    skin = measure_skin(photo)
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
