"""Where skin is in a photo.

Skin of every tone is redder than it is green and redder than it is blue; how bright it is says nothing. So the
rule works on ratios of linear channels, u = ln(R/G) and v = ln(G/B), in which light and shade cancel and the
ten Monk tones lie within one region, and it never asks for a least red. Wood, sand, hair or a warm-lit wall
can satisfy it too: a second step drops what is far from the photo's own likeliest skin colour, and a third takes
back patches that skin borders more than the photo's frame does: a pale patch on dark skin is as far from it as a wall.
When in doubt, the mask keeps: reddened, pigmented and depigmented skin is what such photos are taken for.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from ml.skin.colour import LUMA, extremes, shrink, srgb_to_linear
from ml.skin.regions import count, labelled
from ml.values import RGB, Bytes, Doubles, Floats, Mask

Points = tuple[Floats, Floats]  # u and v of each, (n,) both
SkinMasks = tuple[Mask, Mask | None]  #: the skin (H, W), and the other reading of a close call, None if it is clear

_SIDE = 256  # long side on which colour is judged: averages sensor noise away, and edges need no more
_LEAST_LUMINANCE = 0.003  # below (L* about 2.7) eight bits hold no colour
_WHITE = 253  # from here on in all channels, a pixel is blown out
_U = (0.03, 2.4)
_V = (-1.2, 1.6)
_RED_OVER_BLUE = 0.03

# Where skin is likeliest to lie in (u, v), broad enough for all tones and indoor light: it only decides
# between several candidate colours in one photo. Brown skin reaches v = 1.3 (`ml.skin.optics`).
_PRIOR_CENTRE, _PRIOR_SPREAD, _PRIOR_FLOOR = np.array([0.75, 0.65]), np.array([0.45, 0.80]), 0.02

_SPREAD = (0.25, 0.50)  # least and most standard deviation that skin's colour is allowed along any axis
_REACH = 3.0  # standard deviations from the likeliest colour that still are skin
_ROUNDS = 3
_MIN_SAMPLE = 16  # points whose mean and spread are worth taking
_BINS = 48
_WIDTH = 3.0  # bins, standard deviation: a small even mark must not outdo a large area of noisy dark skin

# The middles of the bins over u and v, (bins², 2), and the prior at each.
_MIDDLES = (np.indices((_BINS, _BINS)).reshape(2, -1).T + 0.5) / _BINS * np.ptp((_U, _V), axis=1) + (_U[0], _V[0])
_PRIOR = np.exp(-(((_MIDDLES - _PRIOR_CENTRE) / _PRIOR_SPREAD) ** 2).sum(axis=1) / 2) + _PRIOR_FLOOR

# Shares are of the photo, unless stated otherwise.
_SPECK = 0.002  # smaller patches are noise
_HOLE = 0.30  # lesions and highlights up to this that skin encloses belong to it

# A patch of another colour belongs to the skin beside it up to these: its share of the photo, its share of the
# frame, and the least share of its outline that skin borders. What lies behind a person meets the frame on more than
# one side; of a half disc that the frame cuts off, skin borders .61.
_LARGEST, _FRAMED, _BORDERED = 0.40, 0.15, 0.55
_SLACK = 0.08  # of a patch's outline and of the frame: within this of the limits, it is a close call
_WORTH = 0.05  # a close call over less than this is decided without another reading
_NEAR = np.ones((7, 7), np.uint8)  # between two colours lies a seam that is neither
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_SQUARE = np.ones((3, 3), np.uint8)
_ROUND = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))


def skin_mask(rgb: RGB) -> Mask:
    """Skin in ``rgb`` (H, W, 3) as (H, W), on the first reading."""
    return skin_masks(rgb)[0]


def skin_masks(rgb: RGB, seed: Mask | None = None) -> SkinMasks:
    """Skin in ``rgb`` (H, W, 3), all False if nothing resembles skin; and another reading, if it is a close call
    whether a part of the photo is skin.

    Lesions and highlights that skin encloses count as skin. ``seed`` (H, W) marks pixels known to be mostly skin,
    such as a found face: the likeliest colour is then taken from there.
    """
    height, width = rgb.shape[:2]
    small = shrink(rgb, _SIDE)
    where = None if seed is None else _resize(seed, (small.shape[1], small.shape[0]))
    found, other = _segment(small, where)
    return _resize(found, (width, height)), None if other is None else _resize(other, (width, height))


def coverage(mask: Mask) -> float:
    """The share of the photo that ``mask`` covers, 0–1."""
    return np.count_nonzero(mask) / mask.size


def _segment(rgb: RGB, seed: Mask | None) -> SkinMasks:
    u, v, lit = _log_chromaticity(rgb)
    candidate = lit & (u >= _U[0]) & (u <= _U[1]) & (v >= _V[0]) & (v <= _V[1]) & (u + v >= _RED_OVER_BLUE)
    if candidate.mean() < _SPECK:
        return np.zeros(candidate.shape, np.bool_), None
    resembling = _resembling(u, v, candidate, seed)
    whole = _solid(resembling)
    found, other = _with_bordered(whole | _holes(whole), candidate)
    if other is None and (doubtful := _doubtful_holes(whole)) is not None:
        other = found ^ doubtful
    return found, other


def _log_chromaticity(rgb: RGB) -> tuple[Floats, Floats, Mask]:
    """u and v, smoothed against sensor noise in linear light, and where they are defined; each (H, W)."""
    linear = cv2.GaussianBlur(srgb_to_linear(rgb), (0, 0), 0.8)
    luminance = np.asarray(cv2.transform(linear, LUMA[None]), np.float32)
    lit = (luminance > _LEAST_LUMINANCE) & (extremes(rgb)[0] < _WHITE)
    logs = np.asarray(cv2.log(np.maximum(linear, np.float32(1e-4))), np.float32)
    return logs[..., 0] - logs[..., 1], logs[..., 1] - logs[..., 2], lit


def _resembling(u: Floats, v: Floats, candidate: Mask, seed: Mask | None) -> Mask:
    """The candidates near the likeliest skin colour, by Mahalanobis distance to its own spread."""
    points = u[candidate], v[candidate]
    weights = _central(candidate.shape)[candidate]
    if seed is not None and seed[candidate].any():
        weights = weights * seed[candidate]
    centre, precision = _mode(points, weights), _precision(np.eye(2) * _SPREAD[0] ** 2)
    for _ in range(_ROUNDS):
        near = (_distance(points, centre, precision) <= 1.5**2).view(np.uint8)
        if cv2.countNonZero(near) < _MIN_SAMPLE:
            break
        centre, covariance = _moments(points, near)
        precision = _precision(covariance)
    kept = np.zeros(candidate.shape, np.bool_)
    kept[candidate] = _distance(points, centre, precision) <= _REACH**2
    return kept


@lru_cache(maxsize=32)
def _central(shape: tuple[int, ...]) -> Floats:
    """Weights (H, W), 1 in the middle and 0.1 in the corners: people photograph what they mean centrally."""
    down, across = (np.exp(-1.15 * np.linspace(-1, 1, size, dtype=np.float32) ** 2) for size in shape)
    return np.asarray(np.outer(down, across), np.float32)


def _mode(points: Points, weights: Floats) -> Doubles:
    """The likeliest (u, v): the densest of the weighted points in a smoothed histogram, under the prior."""
    rows, columns = (
        ((values - low) * np.float32(_BINS / (high - low))).astype(np.int32).clip(0, _BINS - 1)
        for values, (low, high) in zip(points, (_U, _V), strict=True)
    )
    counts = np.bincount(rows * _BINS + columns, weights=weights, minlength=_BINS**2).reshape(_BINS, _BINS)
    likely = np.asarray(cv2.GaussianBlur(counts, (0, 0), _WIDTH, borderType=cv2.BORDER_CONSTANT)).ravel() * _PRIOR
    return np.asarray(_MIDDLES[int(likely.argmax())])


def _moments(points: Points, near: Bytes) -> tuple[Doubles, Doubles]:
    """Mean (2,) and covariance (2, 2) of the points that are ``near`` (n,)."""
    count = cv2.countNonZero(near)
    centre = np.array([cv2.sumElems(cv2.copyTo(values, near))[0] / count for values in points])
    du, dv = (values - np.float32(mean) for values, mean in zip(points, centre, strict=True))
    # OpenCV has masked sums of squares only; |u + v|² = |u|² + |v|² + 2uv.
    uu, vv, both = (cv2.norm(off, cv2.NORM_L2SQR, near) for off in (du, dv, du + dv))
    uv = (both - uu - vv) / 2
    return centre, np.array([[uu, uv], [uv, vv]]) / (count - 1)


def _distance(points: Points, centre: Doubles, precision: Doubles) -> Floats:
    """Squared Mahalanobis distance of each point."""
    uu, uv, vv = (np.float32(value) for value in (precision[0, 0], 2 * precision[0, 1], precision[1, 1]))
    du, dv = points[0] - np.float32(centre[0]), points[1] - np.float32(centre[1])
    return np.asarray((uu * du + uv * dv) * du + vv * dv * dv)


def _precision(covariance: Doubles) -> Doubles:
    """The inverse of ``covariance`` with the standard deviation along each axis held within bounds."""
    values, axes = np.linalg.eigh(covariance)
    held = np.clip(values, _SPREAD[0] ** 2, _SPREAD[1] ** 2)
    return np.asarray((axes / held) @ axes.T)


def _resize(mask: Mask, size: tuple[int, int]) -> Mask:
    return np.asarray(cv2.resize(mask.view(np.uint8), size, interpolation=cv2.INTER_NEAREST), np.bool_)


def _tidy(mask: Mask) -> Mask:
    """``mask`` (H, W) without specks and with its holes filled."""
    whole = _solid(mask)
    return whole | _holes(whole)


def _doubtful_holes(mask: Mask) -> Mask | None:
    """The pixels (H, W) that would become or cease to be a hole of a solid mask if its edges were a pixel further in or
    out; None if they are too few to matter."""
    if not _matters(~mask):
        return None
    filled = _holes(mask)
    for move in (cv2.erode, cv2.dilate):
        moved = move(mask.view(np.uint8), _SQUARE, borderType=cv2.BORDER_CONSTANT, borderValue=0)
        otherwise = cv2.dilate(_holes(np.asarray(moved, np.bool_)).view(np.uint8), _SQUARE)
        doubtful = filled ^ (np.asarray(otherwise, np.bool_) & ~mask)
        if _matters(doubtful):
            return doubtful
    return None


def _with_bordered(mask: Mask, candidate: Mask) -> tuple[Mask, Mask | None]:
    """``mask`` with those parts of ``candidate`` (H, W both) that it borders more than the frame and all else do; and
    the other reading, if it is a close call for a large part."""
    left = cv2.morphologyEx((candidate & ~mask).view(np.uint8), cv2.MORPH_OPEN, _ROUND)
    labels, areas = labelled(np.asarray(left, np.bool_), 4)
    share = areas / mask.size
    kept = (share >= _SPECK) & (share <= _LARGEST)
    kept[0] = False
    if not kept.any():
        return mask, None
    inner = cv2.erode(left, _CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    outline = np.asarray(left, np.bool_) & ~np.asarray(inner, np.bool_)
    beside = outline & np.asarray(cv2.dilate(mask.view(np.uint8), _NEAR), np.bool_)
    framed = outline & _frame(mask.shape)
    around, touching, cut = (count(labels, some, len(areas)) for some in (outline, beside & ~framed, framed))
    sure, bordered, perhaps = (
        kept & (touching >= (_BORDERED + slack) * around) & (cut <= (_FRAMED - slack / 2) * 2 * sum(mask.shape))
        for slack in (_SLACK, 0.0, -_SLACK)
    )
    found = _tidy(mask | bordered.take(labels)) if bordered.any() else mask
    undecided = perhaps & ~sure
    if not undecided.any():
        return found, None
    other = _tidy(mask | (bordered ^ undecided).take(labels))
    return found, other if _matters(found ^ other) else None


def _matters(doubtful: Mask) -> bool:
    return bool(np.count_nonzero(doubtful) >= _WORTH * doubtful.size)


def _solid(mask: Mask) -> Mask:
    """``mask`` (H, W) without specks, and without gaps of a pixel."""
    opened = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, _ROUND)
    closed = np.asarray(cv2.morphologyEx(opened, cv2.MORPH_CLOSE, _ROUND), np.bool_)
    return _parts(closed, 8, least=_SPECK)


def _holes(mask: Mask) -> Mask:
    """What ``mask`` (H, W) encloses, up to a size."""
    return _parts(~mask, 4, most=_HOLE, enclosed=True)


def _frame(shape: tuple[int, ...]) -> Mask:
    frame = np.ones(shape, np.bool_)
    frame[1:-1, 1:-1] = False
    return frame


def _parts(mask: Mask, connectivity: int, least: float = 0, most: float = 1, enclosed: bool = False) -> Mask:
    """The connected parts of ``mask`` of a size between two shares of the photo; ``enclosed``: away from its edge."""
    labels, areas = labelled(mask, connectivity)
    shares = areas / mask.size
    kept = (shares >= least) & (shares <= most)
    kept[0] = False
    if enclosed:
        for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
            kept[edge] = False
    return mask if kept[1:].all() else np.asarray(kept.take(labels), np.bool_)
