"""A case's plan → its photos, each with the true maps behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scin.synthetic import camera, optics
from scin.synthetic.geometry import Projection, count_spots, project, sample
from scin.synthetic.skin import Skin, grow_skin
from scin.synthetic.streams import Purpose, stream
from scin.synthetic.tones import ita_of
from scin.synthetic.values import CaseSpec, Map, RenderedView, ViewSpec

KERATIN = np.array([0.66, 0.61, 0.55], np.float32)  # loose scale, linear sRGB
DRIED_BLOOD = np.array([0.10, 0.030, 0.018], np.float32)
SERUM = np.array([0.62, 0.52, 0.30], np.float32)
HAIR = np.array([0.022, 0.015, 0.011], np.float32)
HIDDEN = 0.1  # opacity of a coat from which on the skin below does not count as bare
CHANGED = 0.1  # of the light of any channel, by a coat: from here on the colour is not the skin's own
LOG_FRACTIONS = np.log([optics.MELANIN_RANGE, optics.BLOOD_RANGE]).astype(np.float32)


def render_case(spec: CaseSpec, neutral: bool = False) -> list[RenderedView]:
    """Render every view of a case.

    `neutral` photographs the same skin and frames in perfectly even D65 light with a perfect camera: no shading,
    highlight, hair, exposure error, colour cast, noise or blur; only the pigments and what lies on the skin remain.
    """
    skin = grow_skin(spec)
    return [_render_view(spec, skin, number, neutral=neutral) for number in range(len(spec.views))]


@dataclass(frozen=True, slots=True, eq=False)
class _Surface:
    """The skin as one view sees it: logarithms of both fractions, relief in the photo's axes, what lies on it."""

    log_melanin: Map
    log_blood: Map
    slope_x: Map
    slope_y: Map
    material: Map
    lesion: Map
    hair: Map


def _render_view(spec: CaseSpec, skin: Skin, number: int, *, neutral: bool) -> RenderedView:
    view = spec.views[number]
    rng = stream(spec.seed, Purpose.PHOTO, spec.index, number)
    projection = project(view)
    surface = _look(spec, skin, projection)
    skin_colour = optics.colour_of(surface.log_melanin, surface.log_blood)
    colour = _lay_on(skin_colour, surface)
    changed = (np.abs(colour - skin_colour) >= CHANGED * skin_colour).any(axis=-1)
    illumination, mirrored = np.ones_like(surface.hair), np.zeros_like(surface.hair)
    if not neutral:
        colour += surface.hair[..., None] * (HAIR - colour)
        illumination, mirrored = _light(spec, view, projection, surface)
    colour = colour * illumination[..., None] + mirrored[..., None]
    scene = _before_cloth(rng, colour, view, projection)
    photo = camera.encode_srgb(scene) if neutral else camera.expose(rng, scene, view.camera)
    on_skin = projection.coverage >= 0.5
    bare = (surface.material[..., :3].max(axis=-1) < HIDDEN) & on_skin
    return RenderedView(
        rgb=photo,
        melanin=np.exp(surface.log_melanin) * on_skin,
        haemoglobin=np.exp(surface.log_blood) * on_skin,
        lesion_mask=(surface.lesion >= 0.5) & on_skin,
        skin_mask=on_skin,
        bare_mask=bare,
        clear_mask=bare & ~changed,
        illumination=illumination,
        highlight=mirrored,
        true_ita_deg=ita_of(spec.melanin, spec.haemoglobin),
        true_lightness=float(optics.lab(spec.melanin, spec.haemoglobin)[0]),
        monk=spec.monk,
        condition=spec.condition,
        spots=count_spots(skin, projection),
        freckled=skin.freckled,
        pixels_per_mm=projection.pixels_per_mm,
        exposure=1.0 if neutral else view.camera.exposure,
        white_balance=(1.0, 1.0, 1.0) if neutral else view.camera.white_balance,
    )


def _look(spec: CaseSpec, skin: Skin, projection: Projection) -> _Surface:
    bare = sample(skin.bare, skin.extent_mm, projection, mirrored=True)
    changes = sample(skin.changes, skin.extent_mm, projection, mirrored=False)
    material = sample(skin.material, skin.extent_mm, projection, mirrored=False)
    marks = sample(skin.marks, skin.extent_mm, projection, mirrored=False)
    total = bare + changes
    base = np.log([spec.melanin, spec.haemoglobin]).astype(np.float32)
    fractions = np.clip(total[..., :2] + base, LOG_FRACTIONS[:, 0], LOG_FRACTIONS[:, 1])
    cosine, sine = np.float32(np.cos(projection.turn_rad)), np.float32(np.sin(projection.turn_rad))
    return _Surface(
        log_melanin=np.ascontiguousarray(fractions[..., 0]),
        log_blood=np.ascontiguousarray(fractions[..., 1]),
        slope_x=cosine * total[..., 2] + sine * total[..., 3],
        slope_y=cosine * total[..., 3] - sine * total[..., 2],
        material=material,
        lesion=marks[..., 0],
        hair=marks[..., 1],
    )


def _lay_on(colour: Map, surface: _Surface) -> Map:
    """Cover the skin with what lies on it: serum first, then crusts, then loose scale."""
    for channel, coat in ((2, SERUM), (1, DRIED_BLOOD), (0, KERATIN)):
        opacity = surface.material[..., channel, None]
        # A coat is seen by the light of what is under it too: on dark skin scale is grey, not white.
        colour = colour + opacity * (0.3 * coat + 0.7 * np.sqrt(coat * colour) - colour)
    return np.asarray(colour, dtype=np.float32)


def _light(spec: CaseSpec, view: ViewSpec, projection: Projection, surface: _Surface) -> tuple[Map, Map]:
    lean_x, lean_y = projection.lean_x - surface.slope_x, projection.lean_y - surface.slope_y
    length = np.maximum(np.sqrt(lean_x**2 + lean_y**2), 1e-6)
    steep = np.minimum(1.0, 0.95 / length)
    lean_x, lean_y = lean_x * steep, lean_y * steep
    gloss = np.float32(spec.oiliness) + surface.material[..., 3] - 0.6 * surface.material[..., 0]
    mirrored = camera.highlight(view.light, lean_x, lean_y, np.maximum(gloss, 0.0))
    return camera.shade(view.light, lean_x, lean_y), mirrored


def _before_cloth(rng: np.random.Generator, colour: Map, view: ViewSpec, projection: Projection) -> Map:
    if view.limb is None:
        return colour
    background = camera.cloth(rng, view.height, view.width, view.limb.cloth_rgb)
    coverage = projection.coverage[..., None]
    return np.asarray(coverage * colour + (1.0 - coverage) * background, dtype=np.float32)
