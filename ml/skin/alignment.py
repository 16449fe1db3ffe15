"""Aligns two photos of the same skin by its texture: hairs, moles, pores and lines.

Keypoints (SIFT; Lowe, IJCV 60, 2004) are compared by the Hellinger kernel (RootSIFT; Arandjelović and Zisserman, CVPR
2012). RANSAC finds the similarity transform (turn, scale, shift) that most pairs of keypoints share. The number of
pairs that fit it shows whether both photos show the same place: with different places, only a few fit by chance. If
enough pairs fit, they also give an affine transform, for skin that is seen from another angle.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ml.values import RGB, Bytes, Doubles, Floats, Mask

_KEYPOINTS = 3000
_CONTRAST, _EDGES = 0.01, 20.0  # SIFT's thresholds: skin has little contrast, and lines count
_CLIP, _TILES = 3.0, 8  # adaptive histogram equalisation, so that dim skin has keypoints too
_LEAST_KEYPOINTS = 8
_RATIO = 0.85  # Lowe's ratio of the distances to the nearest and the second nearest descriptor
_NEAR = 6.0  # pixels from where the transform puts a point, within which a pair fits it
_ROUNDS = 5000
_SURE = 0.999
_SCALES = 0.2, 5.0  # transforms outside are no photos of the same skin
_ENOUGH = 30  # pairs that fit, for an affine transform
_STRETCHED = 0.1  # largest change of the logarithm of the scale by the affine transform


@dataclass(frozen=True, eq=False)
class Keypoints:
    """``points`` (n, 2): x and y in pixels. ``descriptors`` (n, 128): square roots of SIFT's, of unit length."""

    points: Floats
    descriptors: Floats


@dataclass(frozen=True, eq=False)
class Alignment:
    """The transform from the second photo to the first.

    ``matrix`` (2, 3): from pixels of the second photo to pixels of the first. ``matches``: the pairs of keypoints.
    ``inliers``: those that fit the transform.
    """

    matrix: Doubles
    matches: int
    inliers: int

    def shows_same(self, least: int, share: float) -> bool:
        """Whether enough pairs fit: at least ``least``, and at least a ``share`` (0–1) of all pairs, because more pairs
        make more of them fit by chance."""
        return self.inliers >= max(least, share * self.matches)

    @property
    def scale(self) -> float:
        """Pixels of the first photo for each pixel of the second."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    def warp(self, photo: RGB, shape: tuple[int, ...]) -> RGB:
        """The second ``photo`` (h, w, 3) in the frame of the first one, of ``shape`` (H, W, …); black outside."""
        height, width = shape[:2]
        smooth = photo if self.scale >= 1 else cv2.GaussianBlur(photo, (0, 0), 0.4 / self.scale)
        return np.asarray(cv2.warpAffine(smooth, self.matrix, (width, height), flags=cv2.INTER_LINEAR), np.uint8)

    def warp_mask(self, mask: Mask, shape: tuple[int, ...]) -> Mask:
        """As ``warp``, of a mask of the second photo; False outside."""
        height, width = shape[:2]
        moved = cv2.warpAffine(mask.astype(np.float32), self.matrix, (width, height), flags=cv2.INTER_LINEAR)
        return np.asarray(np.asarray(moved) > 0.5, np.bool_)


def align(first: RGB, second: RGB) -> Alignment | None:
    """The transform from ``second`` (h, w, 3) to ``first`` (H, W, 3); None if no pairs of points share one.

    A transform is found for most pairs of photos. Whether it means anything depends on ``inliers``.
    """
    return match(keypoints_of(first), keypoints_of(second))


def keypoints_of(photo: RGB) -> Keypoints | None:
    """The keypoints of ``photo`` (H, W, 3); None if there are too few."""
    detector = cv2.SIFT.create(nfeatures=_KEYPOINTS, contrastThreshold=_CONTRAST, edgeThreshold=_EDGES)
    points, descriptors = detector.detectAndCompute(_equalised(photo), None)
    if descriptors is None or len(points) < _LEAST_KEYPOINTS:
        return None
    values = np.asarray(descriptors, np.float32)
    sums = np.maximum(values.sum(axis=1, keepdims=True), np.float32(1e-9))
    places = np.array([point.pt for point in points], np.float32)
    return Keypoints(places, np.asarray(np.sqrt(values / sums), np.float32))


def match(first: Keypoints | None, second: Keypoints | None) -> Alignment | None:
    """The transform that most pairs of similar keypoints share; None if there is none."""
    if first is None or second is None:
        return None
    here, there = _pairs(first, second)
    if len(here) < 3:
        return None
    matrix, fits = cv2.estimateAffinePartial2D(
        there, here, method=cv2.RANSAC, ransacReprojThreshold=_NEAR, maxIters=_ROUNDS, confidence=_SURE
    )
    if fits is None or not fits.any():
        return None
    inside = np.asarray(fits, np.bool_).ravel()
    found = Alignment(np.asarray(matrix, np.float64), len(here), int(np.count_nonzero(inside)))
    if not _SCALES[0] < found.scale < _SCALES[1]:
        return None
    return _affine(found, here[inside], there[inside])


def _affine(found: Alignment, here: Floats, there: Floats) -> Alignment:
    """``found`` with the affine transform of the pairs (n, 2) that fit it; unchanged if they are few."""
    if len(here) < _ENOUGH:
        return found
    matrix, _ = cv2.estimateAffine2D(there, here, method=cv2.LMEDS)
    if matrix is None or not np.isfinite(matrix).all():
        return found
    better = Alignment(np.asarray(matrix, np.float64), found.matches, found.inliers)
    return better if abs(np.log(better.scale / found.scale)) < _STRETCHED else found


def _pairs(first: Keypoints, second: Keypoints) -> tuple[Floats, Floats]:
    """Points (n, 2) of both photos whose descriptors are each other's nearest, and much nearer than the second
    nearest."""
    likeness = first.descriptors @ second.descriptors.T
    two = np.argpartition(-likeness, 1, axis=1)[:, :2]
    values = np.take_along_axis(likeness, two, axis=1)
    order = np.argsort(-values, axis=1)
    two, values = np.take_along_axis(two, order, axis=1), np.take_along_axis(values, order, axis=1)
    nearest, distances = two[:, 0], np.sqrt(np.maximum(0.0, 2 - 2 * values))
    mutual = likeness.argmax(axis=0)[nearest] == np.arange(len(nearest))
    kept = mutual & (distances[:, 0] < _RATIO * distances[:, 1])
    return first.points[kept], second.points[nearest[kept]]


def _equalised(photo: RGB) -> Bytes:
    """The lightness (H, W) of ``photo`` with equalised local contrast."""
    lightness = np.ascontiguousarray(cv2.cvtColor(photo, cv2.COLOR_RGB2LAB)[..., 0])
    return np.asarray(cv2.createCLAHE(_CLIP, (_TILES, _TILES)).apply(lightness), np.uint8)
