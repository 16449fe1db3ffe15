"""A photo and what is computed of it, each thing once, when it is first needed. Used by one thread at a time.

A `Frame` is the photo. A `Subject` adds the face that was found in it. Its `Part`s are what measures are taken of. A
family of measures keeps what several of its measures share with the part, by `once`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import Any, TypeVar, cast

import numpy as np
from skimage.draw import polygon2mask

from ml.skin.colour import illuminant, linear_to_lab, linear_to_lightness_and_b, srgb_to_linear, working_copy
from ml.skin.regions import Region
from ml.skin.segmentation import SkinMasks, skin_masks
from ml.values import RGB, Floats, Mask, Zone

MIN_COVERAGE = 0.05  #: of the photo: less skin than this is as likely something else


class Frame:
    """A photo and its working copy.

    ``rgb`` (H, W, 3) is the decoded photo, which may be smaller than the one that was sent, of ``width`` × ``height``
    pixels. ``pixels_per_mm`` is the scale of that one, if it is known. All maps are of the working copy, (h, w).
    """

    def __init__(
        self, rgb: RGB, width: int | None = None, height: int | None = None, pixels_per_mm: float | None = None
    ) -> None:
        self.rgb = rgb
        self.width, self.height = width or rgb.shape[1], height or rgb.shape[0]
        self.pixels_per_mm = pixels_per_mm

    @cached_property
    def copy(self) -> RGB:
        """The working copy (h, w, 3), at most 512 pixels long."""
        return working_copy(self.rgb)

    @property
    def scale(self) -> float:
        """Pixels of the photo as it was sent to one of the copy's."""
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
        """L* and b* (h, w) after white balance. A photo filled with skin has no grey to go by, and loses part of its
        skin's own colour: report what is computed from these beside the uncorrected value, never instead of it."""
        return linear_to_lightness_and_b(self.linear, self.light)

    @cached_property
    def skin_masks(self) -> SkinMasks:
        """The skin as its colour alone shows it, and the other reading of a close call."""
        return skin_masks(self.copy)


@dataclass(frozen=True, eq=False)
class Part:
    """Skin to measure: all of a photo ("skin"), that of its face ("face"), or that in one zone of the face.

    ``skin`` (h, w) is all skin of the photo, ``region`` what is measured of it. A face has ``zones`` and a mask
    ``face`` (h, w) of all of them. A zone's part has its ``zone``, and belongs to the part ``face_part``. ``lost``: the
    photo is a portrait whose face was not found, so that its skin cannot be told from the background.
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
    known: dict[Callable[[Part], Any], Any] = field(default_factory=dict)

    @property
    def whole(self) -> Part:
        """The part itself, or the face's if it is a zone."""
        return self.face_part or self


class Subject:
    """What a photo shows: skin, or a face with its ``zones``.

    ``zones`` is None if faces were not looked for, empty if none was found. With zones, only their skin is measured:
    what else is skin-coloured in a portrait may be its background. ``portrait``: the photo is of a face, and not of a
    lesion on one. No lesion is looked for then: what stands out most of a face is its features.
    """

    def __init__(self, frame: Frame, zones: Sequence[Zone] | None = None, *, portrait: bool = False) -> None:
        self.frame = frame
        self.zones = None if zones is None else tuple(zones)
        self.portrait = portrait

    @cached_property
    def whole(self) -> Part:
        """All skin that is measured."""
        return self._part(self._masks[0])

    @cached_property
    def otherwise(self) -> Part | None:
        """The same on the other reading of where the skin is; None without one."""
        other = self._masks[1]
        return None if other is None or self._face is not None else self._part(other)

    @cached_property
    def zone_masks(self) -> tuple[Mask, ...]:
        """The pixels (h, w) of each zone."""
        return tuple(zone_mask(zone, *self.frame.copy.shape[:2]) for zone in self.zones or ())

    @cached_property
    def zone_parts(self) -> tuple[Part, ...]:
        """The skin in each zone. Hair, glasses and whatever else is not skin-coloured is left out."""
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
        """With a face, the skin is found by the face's own colours."""
        return self.frame.skin_masks if self._face is None else skin_masks(self.frame.copy, seed=self._face)


_T = TypeVar("_T")


def once(compute: Callable[[Part], _T]) -> Callable[[Part], _T]:
    """Decorates a function of a part: its result is kept with the part."""

    @wraps(compute)
    def known(part: Part) -> _T:
        if compute not in part.known:
            part.known[compute] = compute(part)
        return cast(_T, part.known[compute])

    return known


def zone_mask(zone: Zone, height: int, width: int) -> Mask:
    """The zone's pixels in a photo, or a copy of it, of ``height`` × ``width``."""
    corners = np.array(zone.polygon)[:, ::-1] * (height, width) - 0.5  # (row, column) of pixel centres
    return np.asarray(polygon2mask((height, width), corners), np.bool_)
