"""A photo and everything that is computed from it. Each result is computed once, when it is first needed.

A `Frame` is the photo. A `Subject` adds the zones of its face. Measures are taken on `Part`s of a subject. Results that
several measures share are cached with the part, by the decorator `once`. Not safe for several threads at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import Any, TypeVar, cast

import numpy as np
from skimage.draw import polygon2mask

from ml.skin.colour import illuminant, linear_to_lab, linear_to_lightness_and_b, srgb_to_linear, working_copy
from ml.skin.reference import Reference
from ml.skin.regions import Region
from ml.skin.segmentation import SkinMasks, skin_masks
from ml.values import RGB, Floats, Mask, Zone

MIN_COVERAGE = 0.05  #: share of the photo; less skin is not measured, because it may be something else


class Frame:
    """A photo and its working copy.

    ``rgb`` (H, W, 3): the decoded photo, which may be reduced. ``width``, ``height``: pixels of the photo as it was
    sent; by default those of ``rgb``. ``pixels_per_mm``: the scale of the photo as it was sent, or None. ``reference``:
    the colour reference that the request says is in the photo, or None. All maps have the size of the working copy,
    (h, w).
    """

    def __init__(
        self,
        rgb: RGB,
        width: int | None = None,
        height: int | None = None,
        pixels_per_mm: float | None = None,
        reference: Reference | None = None,
    ) -> None:
        self.rgb = rgb
        self.width, self.height = width or rgb.shape[1], height or rgb.shape[0]
        self.pixels_per_mm = pixels_per_mm
        self.reference = reference
        self.known: dict[Callable[..., Any], Any] = {}  # the cache of `once`

    @cached_property
    def copy(self) -> RGB:
        """The working copy (h, w, 3), whose long side has at most 512 pixels."""
        return working_copy(self.rgb)

    @property
    def scale(self) -> float:
        """Pixels of the photo as it was sent for each pixel of the working copy."""
        return float(self.width / self.copy.shape[1])

    @cached_property
    def linear(self) -> Floats:
        """Linear sRGB (h, w, 3), 0–1."""
        return srgb_to_linear(self.copy)

    @cached_property
    def lab(self) -> Floats:
        """CIELAB under D65 (h, w, 3)."""
        return linear_to_lab(self.linear)

    @cached_property
    def light(self) -> Floats | None:
        """The colour of the light (3,), as `ml.skin.colour.illuminant` estimates it."""
        return illuminant(self.copy)

    @cached_property
    def balanced(self) -> tuple[Floats, Floats]:
        """L* and b* (h, w) after white balance. If skin fills the photo, white balance removes a part of the skin's own
        colour. So report a value from these maps beside the uncorrected one, never instead of it."""
        return linear_to_lightness_and_b(self.linear, self.light)

    @cached_property
    def skin_masks(self) -> SkinMasks:
        """The skin by its colour alone, and the alternative mask of a close call."""
        return skin_masks(self.copy)


@dataclass(frozen=True, eq=False)
class Part:
    """A part of the skin to measure: all skin of a photo, the skin of a face, or the skin in one zone of a face.

    - ``name``: "skin", "face" or the zone's name.
    - ``skin`` (h, w): all skin of the photo. ``region``: the skin that is measured.
    - ``face`` (h, w), ``zones``: of a face, the mask of all its zones, and the zones.
    - ``zone``, ``face_part``: of a zone, the zone, and the part of the face.
    - ``lost``: the photo is a portrait whose face was not found, so skin and background cannot be told apart.
    - ``known``: the cache of `once`.
    """

    frame: Frame
    name: str
    skin: Mask
    region: Region
    face: Mask | None = None
    zones: tuple[Zone, ...] = ()
    zone: Zone | None = None
    face_part: Part | None = None
    lost: bool = False
    known: dict[Callable[..., Any], Any] = field(default_factory=dict)

    @property
    def whole(self) -> Part:
        """The part of the face if this part is a zone; otherwise the part itself."""
        return self.face_part or self


class Subject:
    """The content of a photo: skin, or a face with its ``zones``.

    ``zones``: None if faces were not searched for, empty if none was found. If there are zones, only their skin is
    measured, because the background of a portrait may have the colour of skin. ``portrait``: the photo is of a face,
    not of a lesion on a face. Lesions are then not searched for, because features of the face would be found.
    """

    def __init__(self, frame: Frame, zones: Sequence[Zone] | None = None, *, portrait: bool = False) -> None:
        self.frame = frame
        self.zones = None if zones is None else tuple(zones)
        self.portrait = portrait

    @cached_property
    def whole(self) -> Part:
        """The part with all skin that is measured."""
        return self._part(self._masks[0])

    @cached_property
    def otherwise(self) -> Part | None:
        """The same part with the alternative skin mask; None if there is no such mask."""
        other = self._masks[1]
        return None if other is None or self._face is not None else self._part(other)

    @cached_property
    def zone_masks(self) -> tuple[Mask, ...]:
        """The pixels (h, w) of each zone."""
        return tuple(zone_mask(zone, *self.frame.copy.shape[:2]) for zone in self.zones or ())

    @cached_property
    def zone_parts(self) -> tuple[Part, ...]:
        """A part for the skin of each zone, without hair, glasses and whatever is not skin-coloured."""
        whole = self.whole
        return tuple(
            Part(self.frame, zone.name, whole.skin, Region(inside & whole.skin), zone=zone, face_part=whole)
            for zone, inside in zip(whole.zones, self.zone_masks, strict=True)
        )

    def _part(self, skin: Mask) -> Part:
        face = self._face
        if face is None:
            return Part(self.frame, "skin", skin, Region(skin, MIN_COVERAGE), lost=self.portrait)
        return Part(self.frame, "face", skin, Region(skin & face), face, self.zones or ())

    @cached_property
    def _face(self) -> Mask | None:
        return np.logical_or.reduce(self.zone_masks) if self.zone_masks else None

    @cached_property
    def _masks(self) -> SkinMasks:
        """The skin masks of the photo. If there is a face, its colours are the reference."""
        return self.frame.skin_masks if self._face is None else skin_masks(self.frame.copy, seed=self._face)


_Of = TypeVar("_Of", Frame, Part)
_T = TypeVar("_T")


def once(compute: Callable[[_Of], _T]) -> Callable[[_Of], _T]:
    """A decorator for a function of a frame or of a part. Its result is cached with the frame or the part."""

    @wraps(compute)
    def known(of: _Of) -> _T:
        if compute not in of.known:
            of.known[compute] = compute(of)
        return cast(_T, of.known[compute])

    return known


def zone_mask(zone: Zone, height: int, width: int) -> Mask:
    """The mask (height, width) of a zone in a photo or a copy of this size."""
    corners = np.array(zone.polygon)[:, ::-1] * (height, width) - 0.5  # (row, column) of pixel centres
    return np.asarray(polygon2mask((height, width), corners), np.bool_)
