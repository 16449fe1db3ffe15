"""Renders the photos of a planned case, with skin, light and camera. Each photo comes with the true maps behind it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ml.imaging.encodings import linear_to_srgb
from ml.values import RGB
from scin.synthetic import optics
from scin.synthetic.lesions import Mask, smooth_noise
from scin.synthetic.optics import Map
from scin.synthetic.plan import Camera, CaseSpec, Light, Purpose, ViewSpec, stream
from scin.synthetic.skin import Projection, Skin, count_spots, grow_skin, project, sample

KERATIN = np.array([0.66, 0.61, 0.55], np.float32)  # loose scale, linear sRGB
DRIED_BLOOD = np.array([0.10, 0.030, 0.018], np.float32)
SERUM = np.array([0.62, 0.52, 0.30], np.float32)
HAIR = np.array([0.022, 0.015, 0.011], np.float32)
HIDDEN = 0.1  # from this opacity of a coat on, the skin below does not count as bare
CHANGED = 0.1  # from this change of any channel's light by a coat on, the colour is not the skin's own
LOG_FRACTIONS = np.log([optics.MELANIN_RANGE, optics.BLOOD_RANGE]).astype(np.float32)

SHADOW_FLOOR = 0.12
HIGHLIGHT_STRENGTH = 0.045  # linear light at full gloss: skin reflects a few percent, spread over a lobe
HIGHLIGHT_SHARPNESS = 26.0
ENCODING_STEPS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class RenderedView:
    """A photo and the truth behind it; all maps are [H, W] and aligned with ``rgb``.

    - ``melanin`` (melanosomes in the epidermis) and ``haemoglobin`` (blood in the dermis): volume fractions, float32,
      0 off the skin.
    - ``bare_mask``: skin that is covered by less than a tenth of scale, crust or serum.
    - ``clear_mask``: the part of ``bare_mask`` where this cover changes the light of each channel by less than a tenth.
      A cover that is almost invisible on light skin may double the light of dark skin.
    - ``true_ita_deg``, ``true_lightness`` (L*): of the person's bare skin in neutral daylight.
    - ``spots``: the lesions whose centre is in the frame. Freckles, which ``freckled`` skin has, do not count.
    """

    rgb: RGB
    melanin: Map
    haemoglobin: Map
    lesion_mask: Mask
    skin_mask: Mask
    bare_mask: Mask
    clear_mask: Mask
    true_ita_deg: float
    true_lightness: float
    spots: int
    freckled: bool


def render_case(spec: CaseSpec, neutral: bool = False) -> list[RenderedView]:
    """Render every view of a case.

    ``neutral`` photographs the same skin and frames in even D65 light with a perfect camera: no shading, highlight,
    hair, exposure error, colour cast, noise or blur.
    """
    skin = grow_skin(spec)
    return [render_view(spec, skin, number, neutral=neutral) for number in range(len(spec.views))]


@dataclass(frozen=True, slots=True, eq=False)
class _Surface:
    """The skin in one view: logarithms of both fractions, relief in the photo's axes, and what lies on the skin."""

    log_melanin: Map
    log_blood: Map
    slope_x: Map
    slope_y: Map
    material: Map
    lesion: Map
    hair: Map


def render_view(spec: CaseSpec, skin: Skin, number: int, *, neutral: bool = False) -> RenderedView:
    """Render one view of a case whose ``skin`` has been grown, as ``render_case`` does."""
    view = spec.views[number]
    rng = stream(spec.seed, Purpose.PHOTO, spec.index, number)
    projection = project(view)
    surface = _surface(spec, skin, projection)
    skin_colour = optics.colour_of(surface.log_melanin, surface.log_blood)
    colour = _coated(skin_colour, surface.material)
    changed = (np.abs(colour - skin_colour) >= CHANGED * skin_colour).any(axis=-1)
    if not neutral:
        colour += surface.hair[..., None] * (HAIR - colour)
        colour = _lit(colour, spec, view.light, projection, surface)
    scene = _before_cloth(rng, colour, view, projection)
    on_skin = projection.coverage >= 0.5
    bare = (surface.material[..., :3].max(axis=-1) < HIDDEN) & on_skin
    true_colour = optics.lab(spec.melanin, spec.haemoglobin)
    return RenderedView(
        rgb=encode_srgb(scene) if neutral else _photograph(rng, scene, view.camera),
        melanin=np.exp(surface.log_melanin) * on_skin,
        haemoglobin=np.exp(surface.log_blood) * on_skin,
        lesion_mask=(surface.lesion >= 0.5) & on_skin,
        skin_mask=on_skin,
        bare_mask=bare,
        clear_mask=bare & ~changed,
        true_ita_deg=float(optics.individual_typology_angle(true_colour)),
        true_lightness=float(true_colour[0]),
        spots=count_spots(skin, projection),
        freckled=skin.freckled,
    )


def _surface(spec: CaseSpec, skin: Skin, projection: Projection) -> _Surface:
    bare = sample(skin.bare, skin.extent_mm, projection, mirrored=True)
    changes, material, marks = (
        sample(maps, skin.extent_mm, projection, mirrored=False) for maps in (skin.changes, skin.material, skin.marks)
    )
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


def _coated(colour: Map, material: Map) -> Map:
    """The skin under serum, then crusts, then loose scale."""
    for channel, coat in ((2, SERUM), (1, DRIED_BLOOD), (0, KERATIN)):
        opacity = material[..., channel, None]
        # The skin below lights the coat too: on dark skin scale is grey, not white.
        colour = colour + opacity * (0.3 * coat + 0.7 * np.sqrt(coat * colour) - colour)
    return np.asarray(colour, dtype=np.float32)


def _lit(colour: Map, spec: CaseSpec, light: Light, projection: Projection, surface: _Surface) -> Map:
    """The skin in the lamp's light: shading and highlights on its relief."""
    lean_x, lean_y = projection.lean_x - surface.slope_x, projection.lean_y - surface.slope_y
    length = np.maximum(np.sqrt(lean_x**2 + lean_y**2), 1e-6)
    steep = np.minimum(1.0, 0.95 / length)
    lean_x, lean_y = lean_x * steep, lean_y * steep
    gloss = np.float32(spec.oiliness) + surface.material[..., 3] - 0.6 * surface.material[..., 0]
    mirrored = _highlight(light, lean_x, lean_y, np.maximum(gloss, 0.0))
    return np.asarray(colour * _shade(light, lean_x, lean_y)[..., None] + mirrored[..., None])


def _shade(light: Light, lean_x: Map, lean_y: Map) -> Map:
    """Light that reaches the surface, float32 [H, W], about 1 where it faces the camera.

    Lambert's cosine law over an ambient part, with an even fall-off across the frame.
    """
    lx, ly, lz = _direction(light)
    facing = np.sqrt(np.maximum(1.0 - lean_x**2 - lean_y**2, 0.02))
    direct = np.maximum(lx * lean_x + ly * lean_y + lz * facing, 0.0) / np.float32(lz)
    height, width = lean_x.shape
    across = np.linspace(-1.0, 1.0, width, dtype=np.float32)[None, :] * lx
    down = np.linspace(-1.0, 1.0, height, dtype=np.float32)[:, None] * ly
    evenness = 1.0 + np.float32(light.falloff) * (across + down)
    mixed = light.ambient * (0.4 + 0.6 * facing) + (1.0 - light.ambient) * direct
    return np.asarray(np.maximum(mixed * evenness, SHADOW_FLOOR), dtype=np.float32)


def _highlight(light: Light, lean_x: Map, lean_y: Map, gloss: Map) -> Map:
    """Light mirrored by the surface, linear, float32 [H, W] (Blinn–Phong half vector; ``gloss`` about 0 to 2)."""
    lx, ly, lz = _direction(light)
    half = np.array([lx, ly, lz + 1.0]) / np.sqrt(2.0 * (1.0 + lz))
    facing = np.sqrt(np.maximum(1.0 - lean_x**2 - lean_y**2, 0.02))
    cosine = np.maximum(half[0] * lean_x + half[1] * lean_y + half[2] * facing, 0.0).astype(np.float32)
    lobe = cv2.pow(cosine, HIGHLIGHT_SHARPNESS / 2) ** 2
    return np.asarray(np.float32(HIGHLIGHT_STRENGTH) * gloss * lobe, dtype=np.float32)


def _direction(light: Light) -> tuple[np.float32, np.float32, np.float32]:
    """The unit vector towards the lamp: right, down, and out of the photo."""
    azimuth, elevation = np.radians(light.azimuth_deg), np.radians(light.elevation_deg)
    flat = np.cos(elevation)
    return np.float32(flat * np.cos(azimuth)), np.float32(flat * np.sin(azimuth)), np.float32(np.sin(elevation))


def _before_cloth(rng: np.random.Generator, colour: Map, view: ViewSpec, projection: Projection) -> Map:
    """A limb in front of a woven, slightly creased cloth; other skin fills the frame."""
    if view.limb is None:
        return colour
    rows = np.sin(np.arange(view.height, dtype=np.float32) * 1.9)[:, None]
    columns = np.sin(np.arange(view.width, dtype=np.float32) * 1.9)[None, :]
    side = max(view.height, view.width)
    creases = smooth_noise(rng, side, side / 2.5, side / 2.5)[: view.height, : view.width]
    tone = np.clip(1.0 + 0.06 * rows * columns + 0.14 * creases, 0.3, 1.6)
    cloth = np.asarray(tone[..., None] * np.array(view.limb.cloth_rgb, np.float32), dtype=np.float32)
    coverage = projection.coverage[..., None]
    return np.asarray(coverage * colour + (1.0 - coverage) * cloth, dtype=np.float32)


def _photograph(rng: np.random.Generator, scene: Map, camera: Camera) -> RGB:
    """The photo of a linear scene [H, W, 3]: lens blur, gains, sensor noise (shot and read), clipping, sRGB."""
    gains = np.float32(camera.exposure) * np.array(camera.white_balance, np.float32)
    seen = np.asarray(cv2.GaussianBlur(scene, (0, 0), camera.blur_px), dtype=np.float32) * gains
    # A camera smooths colour noise when it interpolates its mosaic, so grain is never one pixel wide.
    grain: Map = rng.standard_normal(scene.shape, dtype=np.float32)
    grain = np.asarray(cv2.GaussianBlur(grain, (0, 0), 0.6), dtype=np.float32)
    spread = np.float32(camera.noise) * np.sqrt(np.maximum(seen, 0.0) + np.float32(0.01))
    return encode_srgb(np.asarray(seen + spread * grain, dtype=np.float32))


def encode_srgb(linear: Map) -> RGB:
    """8-bit sRGB of linear light, clipped to [0, 1], looked up."""
    # The table is indexed by the square root of light, so that its steps are below one code even in the dark.
    index = np.sqrt(np.clip(linear, 0.0, 1.0)) * np.float32(ENCODING_STEPS - 1) + np.float32(0.5)
    return np.asarray(_ENCODING[index.astype(np.uint16)])


_ENCODING = linear_to_srgb((np.arange(ENCODING_STEPS) / (ENCODING_STEPS - 1)) ** 2)
