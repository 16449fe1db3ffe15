"""Everything measured on one photo, in one pass over its working copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ml.skin.colour import illuminant, lightness_and_b, rgb_to_lab, working_copy
from ml.skin.face import SkinMaps, colour_means, measure_zone, zone_mask
from ml.skin.lesion import segment_lesion, surroundings
from ml.skin.pigment import lesion_contrast, pigment_maps, skin_pigment
from ml.skin.pores import measure_pores
from ml.skin.regions import Region
from ml.skin.segmentation import coverage, skin_mask
from ml.skin.shape import lesion_geometry
from ml.skin.spots import measure_spots
from ml.skin.surface import Surface, face_surface, skin_surface
from ml.skin.texture import evenness, measure_texture, zone_texture
from ml.skin.tone import METHOD, MIN_COVERAGE, ita_measurement, tone_of, typology_angle
from ml.skin.uncertainty import repeatable_zone, with_repeatability
from ml.values import RGB, Mask, Measurement, Skin, Zone


def measure_skin(
    rgb: RGB,
    zones: Sequence[Zone] | None = None,
    mask: Mask | None = None,
    width: int | None = None,
    pixels_per_mm: float | None = None,
    *,
    photo: RGB | None = None,
    portrait: bool = False,
) -> Skin:
    """Tone and measurements of the skin in ``rgb`` (H, W, 3), taken on a copy of at most 512 px.

    ``zones`` are one face's, as fractions of the photo (``ml.skin.face.face_zones``): None where faces were not
    looked for, empty where none was found. Each comes back measured, and the tone and the measurements are then
    those of the zones' skin, region "face": what else is skin-coloured in a portrait may be its background.

    ``mask``: the skin of the working copy, where it is already known; with a face it is sought again, by the face's
    own colours. ``photo``: what ``rgb`` is a smaller copy of, where it is at hand: a face's texture and pores are
    looked for in it.

    ``width``: the photo's as it was sent, in pixels, where ``rgb`` is a smaller copy; lengths are in its pixels.
    ``pixels_per_mm``: its scale, where it is known.

    ``portrait``: the photo is of a face, and not of a lesion on one. No lesion is looked for then, and its measures
    are left out: what stands out most of a face is its features.

    What cannot be measured has the value None; so has everything where skin is under 5% of a photo without a
    face. ``score`` is None throughout: a percentile needs a population, which the caller may know.
    """
    copy, photo = working_copy(rgb), rgb if photo is None else photo
    insides = [zone_mask(zone, *copy.shape[:2]) for zone in zones or ()]
    face = np.logical_or.reduce(insides) if insides else None
    skin = mask if mask is not None and face is None else skin_mask(copy, seed=face)
    region = Region("skin", skin, MIN_COVERAGE) if face is None else Region("face", skin & face)
    lab = rgb_to_lab(copy)
    surface = None
    if region.usable:
        surface = skin_surface(lab[..., 0], skin) if face is None else face_surface(photo, skin, face)
    pigment = pigment_maps(copy, region.mask)
    # As photographed, and after white balance: how far the two differ tells how sure either is.
    angle = typology_angle(lab[..., 0], lab[..., 2], region)
    balanced = typology_angle(*lightness_and_b(copy, illuminant(copy)), region)
    # Lips, eyes and nostrils are darker than the skin around them too: on a face, only its zones are searched.
    found = segment_lesion(copy, region.mask) if region.usable and not portrait else None
    lesion = None if found is None else found.mask
    around = None if lesion is None else surroundings(lesion, skin)
    of_lesion = (
        *lesion_contrast(pigment, lesion, around),
        *lesion_geometry(found, lab, region.mask, (width or rgb.shape[1]) / copy.shape[1], pixels_per_mm),
    )
    measurements = (
        _coverage(skin),
        ita_measurement("ita", angle, region),
        ita_measurement("ita_white_balanced", balanced, region, f"{METHOD}, after shades of grey (p = 6)"),
        *colour_means(lab, region),
        *skin_pigment(pigment, region),
        *measure_texture(surface, region.name, region.mask),
        evenness(lab[..., 0], region),
        *(() if portrait else of_lesion),
        *measure_spots(copy, region),
    )
    maps = SkinMaps(lab, pigment.erythema, skin)
    pores = measure_pores(photo, zones, skin) if zones else {}
    measured = None
    if zones is not None:
        measured = tuple(
            _zone(zone, inside, maps, surface, pores.get(zone.name))
            for zone, inside in zip(zones, insides, strict=True)
        )
    return Skin(tone_of(angle, region, balanced), with_repeatability(measurements), measured)


def _zone(zone: Zone, inside: Mask, maps: SkinMaps, surface: Surface | None, pores: Measurement | None) -> Zone:
    """``zone`` with its colours, its texture and, where it has them, its ``pores``."""
    measured = measure_zone(zone, inside, maps)
    texture = zone_texture(surface, zone.name, inside & maps.skin)
    if pores is not None:
        texture = (*texture, pores)
    return repeatable_zone(replace(measured, measurements=(*measured.measurements, *texture)))


def _coverage(skin: Mask) -> Measurement:
    return Measurement("skin_coverage", coverage(skin), "share of the photo", "chromaticity segmentation", "photo")
