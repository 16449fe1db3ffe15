"""Everything measured on one photo, in one pass over its working copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import illuminant, linear_to_lab, linear_to_lightness_and_b, srgb_to_linear, working_copy
from ml.skin.contrast import lesion_contrast
from ml.skin.face import SkinMaps, colour_means, measure_zone, zone_mask
from ml.skin.lesion import segment_lesion
from ml.skin.pigment import Pigment, pigment_maps, skin_pigment
from ml.skin.pores import measure_pores
from ml.skin.regions import Region
from ml.skin.segmentation import COVERAGE, SkinMasks, coverage, skin_masks
from ml.skin.shape import lesion_geometry
from ml.skin.spots import measure_spots
from ml.skin.surface import Surface, face_surface, skin_surface
from ml.skin.texture import evenness, measure_texture, zone_texture
from ml.skin.tone import BALANCED_ITA, ITA, MIN_COVERAGE, NO_FACE, ita_measurement, tone_of, typology_angle
from ml.skin.uncertainty import either_way, repeatable_zone, with_repeatability
from ml.values import RGB, Mask, Measurement, Skin, Tone, Zone

Floats = NDArray[np.float32]


def measure_skin(
    rgb: RGB,
    zones: Sequence[Zone] | None = None,
    masks: SkinMasks | None = None,
    width: int | None = None,
    pixels_per_mm: float | None = None,
    *,
    photo: RGB | None = None,
    light: Floats | None = None,
    portrait: bool = False,
) -> Skin:
    """Tone and measurements of the skin in ``rgb`` (H, W, 3), taken on a copy of at most 512 px.

    ``zones`` are one face's, as fractions of the photo (``ml.skin.face.face_zones``): None where faces were not
    looked for, empty where none was found. Each comes back measured, and the tone and the measurements are then
    those of the zones' skin, region "face": what else is skin-coloured in a portrait may be its background.

    ``masks``: the skin of the working copy, and what it may as well be (`ml.skin.segmentation.skin_masks`), where that
    is already known; with a face it is sought again, by the face's own colours. ``photo``: what ``rgb`` is a smaller
    copy of, where it is at hand: a face's texture and pores are looked for in it. ``light``: the working copy's
    `ml.skin.colour.illuminant` (3,), where that is already known.

    ``width``: the photo's as it was sent, in pixels, where ``rgb`` is a smaller copy; lengths are in its pixels.
    ``pixels_per_mm``: its scale, where it is known.

    ``portrait``: the photo is of a face, and not of a lesion on one. No lesion is looked for then, and its measures
    are left out: what stands out most of a face is its features.

    Where it is a close call whether a part of the photo is skin, all is measured with it and without: a value is as
    unsure as the two differ.

    What cannot be measured has the value None; so has everything where skin is under 5% of a photo without a
    face. ``score`` is None throughout: a percentile needs a population, which the caller may know.
    """
    copy, photo = working_copy(rgb), rgb if photo is None else photo
    insides = [zone_mask(zone, *copy.shape[:2]) for zone in zones or ()]
    face = np.logical_or.reduce(insides) if insides else None
    skin, other = masks if masks is not None and face is None else skin_masks(copy, seed=face)
    light = illuminant(copy) if light is None else light
    subject = _Subject(copy, photo, light, (width or rgb.shape[1]) / copy.shape[1], pixels_per_mm, portrait=portrait)
    found = subject.measured(skin, face)
    measurements = found.measurements
    if other is not None and face is None:
        measurements = either_way(measurements, subject.measured(other, face).measurements)
    pores = measure_pores(photo, zones, skin) if zones else {}
    measured = None
    if zones is not None:
        maps = SkinMaps(subject.lab, found.erythema, skin)
        measured = tuple(
            _zone(zone, inside, maps, found.surface, pores.get(zone.name))
            for zone, inside in zip(zones, insides, strict=True)
        )
    return Skin(found.tone, with_repeatability(measurements), measured)


@dataclass(frozen=True, eq=False)
class _Found:
    """What was measured on one reading of where the skin is."""

    tone: Tone
    measurements: tuple[Measurement, ...]
    erythema: Floats
    surface: Surface | None


class _Subject:
    """A photo and its working ``copy``, of which a pixel is ``scale`` of the photo's, under a ``light``."""

    def __init__(
        self, copy: RGB, photo: RGB, light: Floats | None, scale: float, pixels_per_mm: float | None, *, portrait: bool
    ) -> None:
        linear = srgb_to_linear(copy)
        self.lab = linear_to_lab(linear)
        self._balanced = linear_to_lightness_and_b(linear, light)
        self._copy, self._photo = copy, photo
        self._scale, self._pixels_per_mm = scale, pixels_per_mm
        self._portrait = portrait

    def measured(self, skin: Mask, face: Mask | None) -> _Found:
        """On ``skin``, and of that only on a ``face`` where there is one; (H, W) of the copy both."""
        region = Region("skin", skin, MIN_COVERAGE) if face is None else Region("face", skin & face)
        lightness = self.lab[..., 0]
        surface = None
        if region.usable:
            surface = skin_surface(lightness, skin) if face is None else face_surface(self._photo, skin, face)
        pigment = pigment_maps(self._copy, region.mask)
        unplaced = self._portrait and face is None
        # As photographed, and after white balance: how far the two differ tells how sure either is.
        angle = None if unplaced else typology_angle(lightness, self.lab[..., 2], region)
        balanced = None if unplaced else typology_angle(*self._balanced, region)
        measurements = (
            COVERAGE.measurement("photo", coverage(skin)),
            ita_measurement(ITA, angle, region),
            ita_measurement(BALANCED_ITA, balanced, region),
            *colour_means(self.lab, region),
            *skin_pigment(pigment, region),
            *measure_texture(surface, region.name, region.mask),
            evenness(lightness, region),
            *(() if self._portrait else self._of_lesion(pigment, region, skin)),
            *measure_spots(self._copy, region),
        )
        tone = Tone(None, None, None, None, NO_FACE) if unplaced else tone_of(angle, region, balanced)
        return _Found(tone, measurements, pigment.erythema, surface)

    def _of_lesion(self, pigment: Pigment, region: Region, skin: Mask) -> tuple[Measurement, ...]:
        # Lips, eyes and nostrils are darker than the skin around them too: on a face, only its zones are searched.
        found = segment_lesion(self._copy, region.mask) if region.usable else None
        return (
            *lesion_contrast(pigment, found, skin),
            *lesion_geometry(found, self.lab, region.mask, self._scale, self._pixels_per_mm),
        )


def _zone(zone: Zone, inside: Mask, maps: SkinMaps, surface: Surface | None, pores: Measurement | None) -> Zone:
    """``zone`` with its colours, its texture and, where it has them, its ``pores``."""
    measured = measure_zone(zone, inside, maps)
    texture = zone_texture(surface, zone.name, inside & maps.skin)
    if pores is not None:
        texture = (*texture, pores)
    return repeatable_zone(replace(measured, measurements=(*measured.measurements, *texture)))
