"""Finds the skin in a photo.

Skin of every tone has more red than green and more red than blue, at any brightness. So the first step uses ratios of
linear channels, u = ln(R/G) and v = ln(G/B), which do not depend on light and shade. The ten Monk tones lie in one
region of (u, v). Wood, sand, hair and walls in warm light can lie there too, so the second step removes pixels far from
the photo's likeliest skin colour. This also removes a pale patch on dark skin, so the third step restores patches that
are mostly bordered by skin and not by the frame. Doubtful pixels are kept, because such photos are taken to show
reddened, pigmented or depigmented skin.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from ml.skin.colour import LUMA, extremes, shrink, srgb_to_linear
from ml.skin.regions import count, labelled
from ml.values import RGB, Bytes, Doubles, Floats, Mask

Points = tuple[Floats, Floats]  # u and v of n points, (n,) both
SkinMasks = tuple[Mask, Mask | None]  #: the skin (H, W), and the alternative mask of a close call, or None

_SIDE = 256  # long side in pixels on which skin is found; averaging reduces sensor noise
_LEAST_LUMINANCE = 0.003  # about L* 2.7; 8 bits cannot show the colour of darker pixels
_WHITE = 253  # a pixel with this code or more in all channels is overexposed
_U = (0.03, 2.4)
_V = (-1.2, 1.6)
_RED_OVER_BLUE = 0.03

# The prior of skin in (u, v). It is broad enough for all tones and indoor light, and only decides between several
# candidate colours in one photo. Brown skin reaches v = 1.3 (`ml.skin.optics`).
_PRIOR_CENTRE, _PRIOR_SPREAD, _PRIOR_FLOOR = np.array([0.75, 0.65]), np.array([0.45, 0.80]), 0.02

_SPREAD = (0.25, 0.50)  # bounds of the standard deviation of skin's colour along any axis
_REACH = 3.0  # standard deviations from the likeliest colour within which a pixel is skin
_ROUNDS = 3
_MIN_SAMPLE = 16  # least number of points for a mean and a covariance
_BINS = 48
_WIDTH = 3.0  # standard deviation in bins of the smoothing, so that a small even mark does not win over noisy dark skin

# The middles of the bins over u and v, (bins², 2), and the prior at each.
_MIDDLES = (np.indices((_BINS, _BINS)).reshape(2, -1).T + 0.5) / _BINS * np.ptp((_U, _V), axis=1) + (_U[0], _V[0])
_PRIOR = np.exp(-(((_MIDDLES - _PRIOR_CENTRE) / _PRIOR_SPREAD) ** 2).sum(axis=1) / 2) + _PRIOR_FLOOR

# Shares are of the photo, unless stated otherwise.
_SPECK = 0.002  # smaller patches are noise
_HOLE = 0.30  # largest hole, such as a lesion or a highlight, that counts as skin

# A patch of another colour is skin if it has at most these shares of the photo and of the frame, and if skin borders at
# least this share of its outline. A background touches the frame on more than one side. Of half a disc at the frame,
# skin borders .61 of the outline.
_LARGEST, _FRAMED, _BORDERED = 0.40, 0.15, 0.55
_SLACK = 0.08  # of the outline and of the frame; a patch nearer to these limits is a close call
_WORTH = 0.05  # a close call about a smaller area has no alternative mask
_NEAR = np.ones((7, 7), np.uint8)  # wide enough for the seam between two colours
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_SQUARE = np.ones((3, 3), np.uint8)
_ROUND = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))


def skin_mask(rgb: RGB) -> Mask:
    """The skin (H, W) in ``rgb`` (H, W, 3), without the alternative mask."""
    return skin_masks(rgb)[0]


def skin_masks(rgb: RGB, seed: Mask | None = None) -> SkinMasks:
    """The skin (H, W) in ``rgb`` (H, W, 3), and an alternative mask if it is a close call whether a part is skin.

    The mask is all False if nothing looks like skin. Lesions and highlights that skin encloses count as skin. ``seed``
    (H, W) marks pixels that are mostly skin, such as a face; the likeliest colour is then taken from these.
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
    """u, v, and the mask of pixels where they are defined, (H, W) each. Linear light is smoothed first."""
    linear = cv2.GaussianBlur(srgb_to_linear(rgb), (0, 0), 0.8)
    luminance = np.asarray(cv2.transform(linear, LUMA[None]), np.float32)
    lit = (luminance > _LEAST_LUMINANCE) & (extremes(rgb)[0] < _WHITE)
    logs = np.asarray(cv2.log(np.maximum(linear, np.float32(1e-4))), np.float32)
    return logs[..., 0] - logs[..., 1], logs[..., 1] - logs[..., 2], lit


def _resembling(u: Floats, v: Floats, candidate: Mask, seed: Mask | None) -> Mask:
    """The mask (H, W) of the candidates near the likeliest skin colour, by Mahalanobis distance."""
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
    """Weights (H, W), 1 in the middle and 0.1 in the corners, because the subject is usually in the centre."""
    down, across = (np.exp(-1.15 * np.linspace(-1, 1, size, dtype=np.float32) ** 2) for size in shape)
    return np.asarray(np.outer(down, across), np.float32)


def _mode(points: Points, weights: Floats) -> Doubles:
    """The likeliest (u, v), (2,): the maximum of a smoothed, weighted histogram of the points times the prior."""
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
    # OpenCV has only masked sums of squares, so uv comes from |u + v|² = |u|² + |v|² + 2uv.
    uu, vv, both = (cv2.norm(off, cv2.NORM_L2SQR, near) for off in (du, dv, du + dv))
    uv = (both - uu - vv) / 2
    return centre, np.array([[uu, uv], [uv, vv]]) / (count - 1)


def _distance(points: Points, centre: Doubles, precision: Doubles) -> Floats:
    """The squared Mahalanobis distance (n,) of each point from ``centre``."""
    uu, uv, vv = (np.float32(value) for value in (precision[0, 0], 2 * precision[0, 1], precision[1, 1]))
    du, dv = points[0] - np.float32(centre[0]), points[1] - np.float32(centre[1])
    return np.asarray((uu * du + uv * dv) * du + vv * dv * dv)


def _precision(covariance: Doubles) -> Doubles:
    """The inverse of ``covariance`` (2, 2), whose standard deviations along its axes are clipped to _SPREAD."""
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
    """The pixels (H, W) whose hole would open or close if the mask were eroded or dilated by a pixel. None if they are
    too few to matter."""
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
    """``mask`` with those parts of ``candidate`` that it mostly borders, and the alternative mask if that is a close
    call for a large part. All masks are (H, W)."""
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
    """``mask`` (H, W) without specks and without gaps of one pixel."""
    opened = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, _ROUND)
    closed = np.asarray(cv2.morphologyEx(opened, cv2.MORPH_CLOSE, _ROUND), np.bool_)
    return _parts(closed, 8, least=_SPECK)


def _holes(mask: Mask) -> Mask:
    """The holes (H, W) of ``mask``, up to the share _HOLE of the photo."""
    return _parts(~mask, 4, most=_HOLE, enclosed=True)


def _frame(shape: tuple[int, ...]) -> Mask:
    frame = np.ones(shape, np.bool_)
    frame[1:-1, 1:-1] = False
    return frame


def _parts(mask: Mask, connectivity: int, least: float = 0, most: float = 1, enclosed: bool = False) -> Mask:
    """The connected parts of ``mask`` whose shares of the photo are ``least`` to ``most``. ``enclosed``: only those
    that do not touch the photo's edge."""
    labels, areas = labelled(mask, connectivity)
    shares = areas / mask.size
    kept = (shares >= least) & (shares <= most)
    kept[0] = False
    if enclosed:
        for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
            kept[edge] = False
    return mask if kept[1:].all() else np.asarray(kept.take(labels), np.bool_)
