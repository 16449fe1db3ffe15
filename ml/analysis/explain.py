"""The overlays of one case: pictures of the measurements, and heat maps of the models.

Each overlay is a PNG with transparency, of the size of the photo's working copy. A heat map shows on which parts of the
photo a score depends. It is made by occlusion (Zeiler and Fergus 2014): the parts are blurred one after another. They
are not covered with grey, because the models have not seen grey squares, whose edges alone would change the score (Fong
and Vedaldi 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.deadline import Deadline
from ml.models.face_search import turned
from ml.models.lesion_views import Views, around, findings
from ml.models.phone_lesions import CODES, PHONE
from ml.skin.frame import Subject
from ml.skin.outline import lesions
from ml.skin.pigment import pigment_maps
from ml.values import RGB, Floats, Lesion, Mask, Overlay, Patient, Searcher, SimilarCase

if TYPE_CHECKING:
    from ml.models.classifier import LesionClassifier
    from ml.models.encoder import Encoder
    from ml.models.loading import Models

#: n photos (H, W, 3) → n scores (n,), ≥ 0
Score = Callable[[Sequence[RGB]], Floats]
Colour = tuple[int, int, int]  # R, G, B

_SKIN, _LESION = (0, 170, 120), (255, 196, 0)
_MELANIN, _HAEMOGLOBIN = (96, 48, 0), (200, 0, 40)
_ZONES = ((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189), (140, 86, 75), (23, 190, 207))
_OPAQUE, _TRANSLUCENT, _FAINT = 220, 90, 25  # of 255
_LEVELS = 32  # of a map: finer steps are invisible, and fewer levels compress better
_PERCENTILES = (2.0, 98.0)

GRID = 8  # cells along each side of the heat map
_PATCH = 2  # cells along each side of a blurred patch, which moves by one cell
_BATCH = 7  # photos that are scored together
_BLUR = 0.08  # standard deviation of the blur, as a share of the photo's long side
_DELETED = 0.2  # share of the photo that is blurred to check the heat map
_ELSEWHERE = 4  # number of other places where the same shape is blurred
_LEAST_SCORE = 1e-3  # a smaller score is not checked
_SEED = 20240601


@dataclass(frozen=True, eq=False)
class Explained:
    """The results to explain.

    ``subject``: that of the first photo. ``lesion``: the answer of a lesion model, or None. ``cases``: the similar
    cases, which may be empty. ``turns``: the quarter turns to the left, 0–3, after which the photo was embedded.
    """

    subject: Subject
    lesion: Lesion | None
    cases: Sequence[SimilarCase]
    patient: Patient
    turns: int = 0


def overlays(models: Models, searcher: Searcher, seen: Explained, deadline: Deadline) -> tuple[Overlay, ...]:
    """All overlays of one case. Each heat map takes 55 runs of its model. For the model for phone photos of a lesion,
    these are 110 runs of the encoder.

    Raises DeadlineExceededError between two runs, ModelError, and ArtifactError.
    """
    photo = seen.subject.frame.copy
    found = list(measured(seen.subject))
    if seen.cases:
        found.append(_heat_overlay("similar_cases", photo, _similarity(models.encoder, searcher, seen, deadline)))
    if seen.lesion is not None and seen.lesion.predictions:
        first = seen.lesion.predictions[0].code
        if seen.lesion.input == PHONE:
            score = _phone_probability(models, seen, first, deadline)
        else:
            score = _probability(models.classifier, seen, first, deadline)
        found.append(_heat_overlay("lesion_class", photo, score, clinical=True))
    return tuple(found)


def _similarity(encoder: Encoder, searcher: Searcher, seen: Explained, deadline: Deadline) -> Score:
    """The score of a photo: its mean cosine with the similar cases of the answer, ≥ 0."""
    names = [case.case_id for case in seen.cases]

    def score(photos: Sequence[RGB]) -> Floats:
        upright = [turned(photo, seen.turns) for photo in photos]
        found = searcher.similarities(encoder.embed(upright, deadline), names)
        return np.asarray(np.maximum(found.mean(axis=1), 0.0), np.float32)

    return score


def _phone_probability(models: Models, seen: Explained, code: str, deadline: Deadline) -> Score:
    """The score of a photo: the raw probability, 0–1, of the class ``code`` by the model for phone photos.

    The place of the crop, and the measured colours and shape, stay those of the photo that is explained.
    """
    square, found = around(seen.subject.whole), findings(seen.subject.whole)
    encoder = models.kind_encoder

    def score(photos: Sequence[RGB]) -> Floats:
        upright = encoder.embed([turned(photo, seen.turns) for photo in photos], deadline)
        crops = encoder.embed([turned(square.of(photo), seen.turns) for photo in photos], deadline)
        views = Views(upright, crops, np.tile(found, (len(photos), 1)))
        return np.asarray(models.phone_lesions.probabilities(views, seen.patient)[:, CODES.index(code)], np.float32)

    return score


def _probability(classifier: LesionClassifier, seen: Explained, code: str, deadline: Deadline) -> Score:
    """The score of a photo: the raw probability, 0–1, of the class ``code`` by the dermatoscopic classifier."""
    column = classifier.output.codes.index(code)

    def score(photos: Sequence[RGB]) -> Floats:
        return classifier.predict(photos, seen.patient, deadline)[:, column]

    return score


def outlined(subject: Subject) -> tuple[Overlay, ...]:
    """The overlays of what was found: the skin, and the zones of a face or the outline of a lesion."""
    whole = subject.whole
    found = [Overlay("skin_mask", "skin", mask_picture(whole.skin, _SKIN))]
    if subject.zone_masks:
        colours = list(islice(cycle(_ZONES), len(subject.zone_masks)))
        found.append(Overlay("zones", "face", _region_picture(subject.zone_masks, colours)))
    elif (outline := lesions(whole)) is not None:
        found.append(Overlay("lesion", "lesion", mask_picture(outline.mask, _LESION, _FAINT), clinical=True))
    return tuple(found)


def measured(subject: Subject) -> tuple[Overlay, ...]:
    """The overlays of the measurements. An overlay that would show nothing is left out."""
    whole, found = subject.whole, list(outlined(subject))
    if whole.skin.any():
        maps = pigment_maps(whole.frame.copy, whole.region.mask)
        found.append(Overlay("melanin", "skin", map_picture(maps.melanin, whole.skin, _MELANIN)))
        found.append(Overlay("haemoglobin", "skin", map_picture(maps.haemoglobin, whole.skin, _HAEMOGLOBIN)))
    return tuple(found)


def _heat_overlay(name: str, photo: RGB, score: Score, *, clinical: bool = False) -> Overlay:
    found = heat_map(photo, score)
    picture = heat_picture(found.importance, *photo.shape[:2])
    return Overlay(name, "photo", picture, deletion_score=found.deletion_score, clinical=clinical)


@dataclass(frozen=True, eq=False)
class HeatMap:
    """A heat map and its check.

    ``importance`` (GRID, GRID), 0–1: how much the score falls if a cell is blurred; the largest value is 1.
    ``deletion_score``, 0–1: the share of the score that is lost when the most important fifth of the photo is blurred,
    less the mean share that is lost when the same shape is blurred elsewhere. 0 is no better than chance; None if the
    score is nearly 0.
    """

    importance: Floats
    deletion_score: float | None


def heat_map(photo: RGB, score: Score) -> HeatMap:
    """Explain the ``score`` of ``photo`` (H, W, 3) by 55 runs on blurred copies. Raises what ``score`` does."""
    blurred = cv2.GaussianBlur(photo, (0, 0), max(1.0, _BLUR * max(photo.shape[:2])))

    def without(cells: Mask) -> RGB:
        return np.where(_to_pixels(cells, photo)[..., None], blurred, photo)

    patches = list(_patches())
    scores = _scores(score, [np.zeros((GRID, GRID), np.bool_), *patches], without)
    whole, drops = float(scores[0]), np.maximum(scores[0] - scores[1:], 0.0)
    covered = np.array(patches, np.float32)
    importance = np.tensordot(drops, covered, axes=1) / covered.sum(axis=0)
    most = float(importance.max())
    found = np.asarray(importance / most if most > 0 else importance, np.float32)
    if whole < _LEAST_SCORE:
        return HeatMap(found, None)
    left = _scores(score, [_most_important(found), *_elsewhere(_most_important(found))], without)
    gone = 1.0 - left / whole
    return HeatMap(found, float(np.clip(gone[0] - gone[1:].mean(), 0.0, 1.0)))


def _scores(score: Score, taken: Sequence[Mask], without: Callable[[Mask], RGB]) -> Floats:
    """The scores (n,) of the photo without each of ``taken``, in batches, to hold few copies of the photo."""
    batches = [taken[start : start + _BATCH] for start in range(0, len(taken), _BATCH)]
    return np.concatenate([score([without(cells) for cells in batch]) for batch in batches])


def _patches() -> Iterator[Mask]:
    for row in range(GRID - _PATCH + 1):
        for column in range(GRID - _PATCH + 1):
            cells = np.zeros((GRID, GRID), np.bool_)
            cells[row : row + _PATCH, column : column + _PATCH] = True
            yield cells


def _most_important(importance: Floats) -> Mask:
    order = np.argsort(-importance.ravel(), kind="stable")[: round(_DELETED * GRID * GRID)]
    cells = np.zeros(GRID * GRID, np.bool_)
    cells[order] = True
    return cells.reshape(GRID, GRID)


def _elsewhere(cells: Mask) -> list[Mask]:
    """The same shape at other places, always the same ones. It wraps around the edges."""
    rng = np.random.default_rng(_SEED)
    steps = rng.choice(np.arange(1, GRID * GRID), _ELSEWHERE, replace=False)
    return [np.roll(cells, divmod(int(step), GRID), axis=(0, 1)) for step in steps]


def _to_pixels(cells: Mask, photo: RGB) -> Mask:
    size = (photo.shape[1], photo.shape[0])
    return np.asarray(cv2.resize(cells.view(np.uint8), size, interpolation=cv2.INTER_NEAREST), np.bool_)


def mask_picture(mask: Mask, colour: Colour, opacity: int = _TRANSLUCENT) -> bytes:
    """``mask`` (H, W) as a PNG: tinted with an ``opacity`` of 0–255, with an outline."""
    return _region_picture([mask], [colour], opacity)


def _region_picture(masks: Sequence[Mask], colours: Sequence[Colour], opacity: int = _TRANSLUCENT) -> bytes:
    """One or more ``masks`` (H, W) as a PNG, each in its colour."""
    rgba = np.zeros((*masks[0].shape, 4), np.uint8)
    for mask, colour in zip(masks, colours, strict=True):
        rgba[mask] = (*colour, opacity)
        outline = mask & ~cv2.erode(mask.view(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_)
        rgba[outline] = (*colour, _OPAQUE)
    return _to_png(rgba)


def map_picture(values: Floats, where: Mask, colour: Colour) -> bytes:
    """``values`` (H, W) in ``where`` (H, W) as a PNG, scaled from their 2nd to their 98th percentile: the higher the
    value, the more opaque the colour. Transparent elsewhere."""
    low, high = np.percentile(values[where], _PERCENTILES) if where.any() else (0.0, 1.0)
    strength = np.clip((values - low) / max(float(high - low), 1e-6), 0.0, 1.0)
    return _tinted(np.where(where, strength, 0.0), np.broadcast_to(np.array(colour, np.uint8), (*values.shape, 3)))


def heat_picture(importance: Floats, height: int, width: int) -> bytes:
    """``importance`` (rows, columns), 0–1, as a PNG of (``height``, ``width``), transparent where it is 0."""
    smooth = cv2.resize(importance, (width, height), interpolation=cv2.INTER_CUBIC)
    levels = np.round(np.clip(smooth, 0.0, 1.0) * (_LEVELS - 1)) / (_LEVELS - 1)
    bgr = cv2.applyColorMap(np.asarray(levels * 255, np.uint8), cv2.COLORMAP_INFERNO)
    return _tinted(levels, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))


def _tinted(strength: NDArray[np.floating], rgb: NDArray[Any]) -> bytes:
    levels = np.round(strength * (_LEVELS - 1)) / (_LEVELS - 1)
    return _to_png(np.dstack([rgb, levels * _OPAQUE]).astype(np.uint8))


def _to_png(rgba: NDArray[np.uint8]) -> bytes:
    """(H, W, 4) as a PNG file. Raises ValueError if it cannot be written."""
    done, data = cv2.imencode(".png", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA))
    if not done:
        raise ValueError("the picture could not be written as PNG")
    return bytes(data.tobytes())
