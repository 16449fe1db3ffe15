"""Draws the lesions of the ten conditions on a square of skin.

Redness is added as the logarithm of the blood fraction. On dark skin the same amount of blood looks darker and violet,
as on real skin, because the melanin above it absorbs light. Inflammation also adds some melanin, which stays visible on
dark skin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from scin.synthetic.optics import Map
from scin.synthetic.plan import CaseSpec

PATCH_PX = 576
DEPIGMENTED = 0.0009  # the melanin that is left in vitiligo, volume fraction

Mask = NDArray[np.bool_]
Spot = tuple[float, float]
Window = tuple[slice, slice]


def smooth_noise(rng: np.random.Generator, size: int, wavelength_x: float, wavelength_y: float) -> Map:
    """Band-limited noise, float32 [size, size], of mean 0 and standard deviation near 1; wavelengths in pixels."""
    columns, rows = (int(np.clip(round(2.0 * size / wave), 3, size)) for wave in (wavelength_x, wavelength_y))
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    smooth = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth * np.float32(1.0 / max(float(smooth.std()), 1e-6)))


def fractal_noise(rng: np.random.Generator, wavelength_px: float, octaves: int = 3) -> Map:
    """Noise of the patch's size in ``octaves`` bands, each half as long and 0.6 times as strong as the one before."""
    total = np.zeros((PATCH_PX, PATCH_PX), np.float32)
    power = 0.0
    for octave in range(octaves):
        strength, wavelength = 0.6**octave, wavelength_px / 2**octave
        total += np.float32(strength) * smooth_noise(rng, PATCH_PX, wavelength, wavelength)
        power += strength**2
    return np.asarray(total / np.float32(np.sqrt(power)))


@dataclass(frozen=True, slots=True)
class Outline:
    """A closed, slightly irregular outline: an ellipse whose radius varies with the angle."""

    x_mm: float
    y_mm: float
    radius_mm: float
    aspect: float
    turn: float
    waves: tuple[tuple[int, float, float], ...]


def _blank() -> Map:
    return np.zeros((PATCH_PX, PATCH_PX), np.float32)


@dataclass(slots=True)
class Patch:
    """The changes that lesions make on a square of skin, ``extent_mm`` wide. All maps are float32 [PATCH_PX, PATCH_PX].

    ``melanin`` and ``blood`` are changes of the natural logarithm of the volume fractions; ``height`` is in mm;
    ``scale`` (loose keratin), ``crust`` and ``fluid`` (serum or pus) are opacities in [0, 1]; ``gloss`` adds to the
    skin's shine. ``x`` and ``y`` are millimetres from the centre, bent by smooth noise so that outlines look natural.
    """

    extent_mm: float
    rng: np.random.Generator
    x: Map = field(init=False)
    y: Map = field(init=False)
    melanin: Map = field(default_factory=_blank)
    blood: Map = field(default_factory=_blank)
    height: Map = field(default_factory=_blank)
    scale: Map = field(default_factory=_blank)
    crust: Map = field(default_factory=_blank)
    fluid: Map = field(default_factory=_blank)
    gloss: Map = field(default_factory=_blank)
    mask: Mask = field(default_factory=lambda: np.zeros((PATCH_PX, PATCH_PX), np.bool_))
    spots: list[Spot] = field(default_factory=list)

    def __post_init__(self) -> None:
        axis = ((np.arange(PATCH_PX, dtype=np.float32) + 0.5) / PATCH_PX - 0.5) * np.float32(self.extent_mm)
        bend = np.float32(0.006 * self.extent_mm)
        self.x = axis[None, :] + bend * self.noise(0.4 * self.extent_mm, octaves=1)
        self.y = axis[:, None] + bend * self.noise(0.4 * self.extent_mm, octaves=1)

    @property
    def pixels_per_mm(self) -> float:
        return PATCH_PX / self.extent_mm

    def noise(self, wavelength_mm: float, octaves: int = 2) -> Map:
        """Smooth noise over the whole patch, mean 0 and standard deviation about 1."""
        return fractal_noise(self.rng, wavelength_mm * self.pixels_per_mm, octaves)

    def place(self, spread: float) -> Spot:
        """A random point (mm) within ``spread`` of half the side from the centre. The first lesion is nearer."""
        radius = spread * self.extent_mm / 2 * float(np.sqrt(self.rng.random()))
        angle = float(self.rng.uniform(0.0, 2 * np.pi))
        if not self.spots:
            radius *= 0.3
        return radius * float(np.cos(angle)), radius * float(np.sin(angle))

    def outline(self, centre: Spot, radius_mm: float, wobble: float = 0.1, aspect: float = 1.3) -> Outline:
        """A random outline of about this radius; ``wobble`` is the relative depth of its waves."""
        waves = tuple(
            (k, 2.5 * wobble / k**2 * float(self.rng.normal()), float(self.rng.uniform(0, 2 * np.pi)))
            for k in (2, 3, 4, 6)
        )
        stretch = float(self.rng.uniform(1.0, aspect))
        return Outline(*centre, radius_mm, stretch, float(self.rng.uniform(0, np.pi)), waves)

    def window(self, outline: Outline, reach_mm: float = 0.0) -> Window:
        """The rows and columns that hold an outline and ``reach_mm`` around it."""
        reach = outline.radius_mm * outline.aspect * 1.5 + reach_mm + 0.04 * self.extent_mm
        bounds = []
        for centre in (outline.y_mm, outline.x_mm):
            low = int((centre - reach) * self.pixels_per_mm + PATCH_PX / 2)
            high = int((centre + reach) * self.pixels_per_mm + PATCH_PX / 2) + 1
            bounds.append(slice(int(np.clip(low, 0, PATCH_PX)), int(np.clip(high, 0, PATCH_PX))))
        return bounds[0], bounds[1]

    def distance(self, outline: Outline, window: Window) -> Map:
        """The approximate distance (mm) of each point of the window from the outline, negative inside."""
        dx, dy = self.x[window] - np.float32(outline.x_mm), self.y[window] - np.float32(outline.y_mm)
        cosine, sine = np.float32(np.cos(outline.turn)), np.float32(np.sin(outline.turn))
        along = (cosine * dx + sine * dy) / np.float32(np.sqrt(outline.aspect))
        across = (cosine * dy - sine * dx) * np.float32(np.sqrt(outline.aspect))
        angle = np.arctan2(across, along)
        edge = np.full_like(angle, 1.0)
        for k, depth, phase in outline.waves:
            edge += np.float32(depth) * np.cos(k * angle + np.float32(phase))
        return np.asarray(np.hypot(along, across) - np.float32(outline.radius_mm) * edge, dtype=np.float32)

    def around(self, outline: Outline, reach_mm: float = 0.0) -> tuple[Window, Map]:
        """The window of an outline, and the distances in it."""
        window = self.window(outline, reach_mm)
        return window, self.distance(outline, window)

    def raise_to(self, window: Window, **maps: NDArray[np.floating]) -> None:
        """Raise the named maps to these values, where they are lower."""
        for name, values in maps.items():
            target = getattr(self, name)
            target[window] = np.maximum(target[window], values)

    def add_spot(self, outline: Outline, window: Window, lesion: Mask) -> None:
        """Record one lesion and its part of the mask."""
        self.mask[window] |= lesion
        self.spots.append((outline.x_mm, outline.y_mm))


def inside(distance_mm: Map, softness_mm: float) -> Map:
    """1 well inside an outline, 0 well outside, with a smooth edge ``softness_mm`` wide on either side."""
    t = np.clip(0.5 - distance_mm / np.float32(2.0 * softness_mm), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), dtype=np.float32)


def dome(distance_mm: Map, radius_mm: float) -> Map:
    """The height, 0 to 1, of a dome over an outline of this radius that rises softly from the skin around it."""
    t = np.clip(0.15 - distance_mm / np.float32(radius_mm), 0.0, 1.15) / np.float32(1.15)
    return np.asarray(np.sin(np.float32(np.pi / 2) * t) ** 2 * (2.0 - t) * t, dtype=np.float32)


def paint(spec: CaseSpec, rng: np.random.Generator, extent_mm: float) -> Patch:
    """A patch with the lesions of a case."""
    patch = Patch(extent_mm, rng)
    PAINTERS[spec.condition](patch, spec)
    return patch


def eczema(patch: Patch, spec: CaseSpec) -> None:
    """One to three ill-defined, mottled red patches with fine scale and a few scratches."""
    mottle, grain = patch.noise(9.0, 3), patch.noise(1.6)
    flakes = np.clip(patch.noise(3.0, 3) - 0.6, 0.0, 1.0)
    for _ in range(int(patch.rng.integers(1, 4))):
        outline = patch.outline(patch.place(0.42), float(patch.rng.uniform(11.0, 21.0)), wobble=0.3, aspect=1.8)
        window, distance = patch.around(outline, 10.0)
        edge = inside(distance + 3.0 * mottle[window], 6.0)
        rough = np.clip(0.75 + 0.25 * mottle[window], 0.0, 1.5) * edge
        patch.raise_to(
            window,
            blood=1.25 * spec.severity * rough,
            melanin=0.22 * spec.severity * rough,
            height=edge * (0.25 + 0.05 * grain[window]),
            scale=0.3 * edge * flakes[window],
        )
        patch.add_spot(outline, window, edge > 0.5)
        _scratches(patch, outline, int(patch.rng.integers(2, 6)))


def _scratches(patch: Patch, outline: Outline, count: int) -> None:
    heading = float(patch.rng.uniform(0.0, np.pi))
    for _ in range(count):
        offset = patch.rng.normal(0.0, 0.4 * outline.radius_mm, size=2)
        centre = (outline.x_mm + float(offset[0]), outline.y_mm + float(offset[1]))
        half_length, half_width = float(patch.rng.uniform(2.0, 6.0)), 0.35
        window = patch.window(Outline(*centre, half_length, 1.0, 0.0, ()))
        line = Outline(*centre, float(np.sqrt(half_width * half_length)), half_length / half_width, heading, ())
        patch.raise_to(window, crust=0.6 * inside(patch.distance(line, window), 1.2))
        heading += float(patch.rng.normal(0.0, 0.15))


def folliculitis(patch: Patch, spec: CaseSpec) -> None:
    """A dozen to thirty small red papules around hair follicles, half of them with a pustule on top."""
    for _ in range(int(patch.rng.integers(12, 31))):
        radius = float(patch.rng.uniform(0.9, 2.0))
        centre = patch.place(0.85)
        _papule(patch, patch.outline(centre, radius, 0.05, 1.1), 1.5 * spec.severity, halo_mm=2.2)
        if patch.rng.random() < 0.5:
            window, distance = patch.around(patch.outline(centre, 0.42 * radius, 0.05, 1.1))
            patch.raise_to(window, fluid=0.75 * inside(distance, 0.2))


def _papule(patch: Patch, outline: Outline, redness: float, halo_mm: float) -> None:
    window, distance = patch.around(outline, halo_mm)
    edge, halo = inside(distance, 0.35 * outline.radius_mm), inside(distance - 0.3 * halo_mm, 0.7 * halo_mm)
    patch.raise_to(
        window,
        blood=redness * (0.65 * edge + 0.45 * halo),
        melanin=0.22 * edge + 0.06 * halo,
        height=0.34 * outline.radius_mm * dome(distance, outline.radius_mm),
    )
    patch.add_spot(outline, window, distance < 0.15 * outline.radius_mm)


def herpes_zoster(patch: Patch, spec: CaseSpec) -> None:
    """Clusters of tense vesicles on red skin in a band along a nerve; some are crusted."""
    direction = float(patch.rng.uniform(0.0, np.pi))
    for along in np.linspace(-0.36, 0.36, int(patch.rng.integers(4, 7))) * patch.extent_mm:
        across = float(patch.rng.normal(0.0, 4.0))
        x = float(along * np.cos(direction) - across * np.sin(direction))
        y = float(along * np.sin(direction) + across * np.cos(direction))
        base = patch.outline((x, y), float(patch.rng.uniform(6.0, 10.0)), 0.25, 1.5)
        window, distance = patch.around(base, 5.0)
        edge = inside(distance, 3.0)
        patch.raise_to(window, blood=1.5 * spec.severity * edge, melanin=0.15 * edge, height=0.2 * edge)
        patch.mask[window] |= edge > 0.5
        for _ in range(int(patch.rng.integers(6, 14))):
            spread = patch.rng.normal(0.0, 0.42 * base.radius_mm, size=2)
            _vesicle(patch, (x + float(spread[0]), y + float(spread[1])))


def _vesicle(patch: Patch, centre: Spot) -> None:
    outline = patch.outline(centre, float(patch.rng.uniform(0.8, 1.9)), 0.05, 1.15)
    window, distance = patch.around(outline)
    edge = inside(distance, 0.3)
    patch.raise_to(window, height=edge * 0.2 + 0.5 * outline.radius_mm * dome(distance, outline.radius_mm))
    if patch.rng.random() < 0.2:
        patch.raise_to(window, crust=0.7 * edge)
    else:
        patch.raise_to(window, fluid=0.26 * edge, gloss=1.6 * edge)
    patch.add_spot(outline, window, distance < 0.0)


def insect_bite(patch: Patch, spec: CaseSpec) -> None:
    """Two to seven firm red papules, often in a row, each with a central punctum and a wide flare."""
    count = int(patch.rng.integers(2, 8))
    start, heading = patch.place(0.3), float(patch.rng.uniform(0.0, 2 * np.pi))
    in_row = patch.rng.random() < 0.5
    for step in range(count):
        reach = (step - (count - 1) / 2) * 9.0
        row = (start[0] + reach * float(np.cos(heading)), start[1] + reach * float(np.sin(heading)))
        centre = row if in_row else patch.place(0.75)
        papule = patch.outline(centre, float(patch.rng.uniform(2.2, 4.2)), 0.08, 1.25)
        _papule(patch, papule, 1.5 * spec.severity, halo_mm=7.0)
        window, distance = patch.around(patch.outline(centre, 0.5, 0.1, 1.1))
        patch.raise_to(window, crust=0.8 * inside(distance, 0.25))


def psoriasis(patch: Patch, spec: CaseSpec) -> None:
    """One to five sharply bordered, raised, deep red plaques under thick silvery scale."""
    cracked, fine = patch.noise(7.0, 3), patch.noise(1.3)
    for _ in range(int(patch.rng.integers(1, 6))):
        outline = patch.outline(patch.place(0.55), float(patch.rng.uniform(6.0, 18.0)), 0.2, 1.5)
        window, distance = patch.around(outline, 3.0)
        edge, deep = inside(distance, 0.9), inside(distance + 2.0, 1.5)
        lamella = np.clip(0.5 + 0.5 * cracked[window], 0.0, 1.0) * deep
        patch.raise_to(
            window,
            blood=1.75 * spec.severity * edge,
            melanin=0.28 * edge,
            scale=0.8 * lamella * np.clip(0.8 + 0.2 * fine[window], 0, 1),
            height=0.6 * edge + lamella * (0.1 + 0.04 * fine[window]),
        )
        patch.add_spot(outline, window, edge > 0.5)


def tinea(patch: Patch, spec: CaseSpec) -> None:
    """One to three rings with a raised, red, scaling border and a clearer middle."""
    flakes, beads = np.clip(patch.noise(3.0, 3), 0.0, 1.5), patch.noise(5.0)
    for _ in range(int(patch.rng.integers(1, 4))):
        outline = patch.outline(patch.place(0.45), float(patch.rng.uniform(10.0, 20.0)), 0.12, 1.3)
        window, distance = patch.around(outline, 6.0)
        width = np.float32(patch.rng.uniform(1.6, 2.6))
        ring = np.exp(-((distance / width) ** 2)) * np.clip(1.0 + 0.3 * beads[window], 0.35, 1.6)
        edge = inside(distance, 1.0)
        patch.raise_to(
            window,
            blood=spec.severity * (1.6 * ring + 0.3 * edge),
            melanin=0.25 * ring + 0.10 * edge,
            height=0.4 * ring,
            scale=0.4 * np.clip(ring, 0, 1) * flakes[window],
        )
        patch.add_spot(outline, window, distance < 1.2 * width)


def urticaria(patch: Patch, spec: CaseSpec) -> None:
    """Five to fourteen merging wheals: raised, pale with fluid in the middle, red around."""
    for _ in range(int(patch.rng.integers(5, 15))):
        radius = float(patch.rng.uniform(3.5, 12.0))
        outline = patch.outline(patch.place(0.75), radius, 0.3, 1.7)
        window, distance = patch.around(outline, 7.0)
        edge, flare = inside(distance, 1.6), inside(distance - 2.5, 4.5)
        pallor = inside(distance + 0.45 * radius, 0.5 * radius)
        patch.raise_to(
            window,
            blood=spec.severity * (0.75 * flare + 0.55 * edge - 0.75 * pallor),
            melanin=0.12 * edge,
            height=(0.5 + 0.08 * radius) * inside(distance + 0.8, 2.2),
            gloss=0.25 * edge,
        )
        patch.add_spot(outline, window, distance < 0.5)


def melanocytic_nevus(patch: Patch, spec: CaseSpec) -> None:
    """One mole, sometimes two or three: round to oval, evenly brown, slightly raised."""
    mottle = patch.noise(1.8)
    for number in range(int(patch.rng.choice((1, 1, 1, 2, 3)))):
        centre = patch.place(0.22) if number == 0 else patch.place(0.8)
        outline = patch.outline(centre, float(patch.rng.uniform(1.8, 4.0)) / (1 + number), 0.12, 1.35)
        window, distance = patch.around(outline)
        edge = inside(distance, 0.5)
        gain = _pigment_gain(patch, spec, 1.0 + 0.2 * mottle[window])
        height = float(patch.rng.uniform(0.0, 0.7)) * dome(distance, outline.radius_mm)
        patch.raise_to(window, melanin=edge * gain, height=height, gloss=0.08 * edge)
        patch.add_spot(outline, window, distance < 0.0)


def seborrhoeic_keratosis(patch: Patch, spec: CaseSpec) -> None:
    """One to three waxy, warty, unevenly brown plaques on the skin, with pale horn cysts and dark plugs."""
    warts, cloud = patch.noise(1.5), patch.noise(4.0)
    for number in range(int(patch.rng.choice((1, 1, 2, 3)))):
        centre = patch.place(0.3) if number == 0 else patch.place(0.8)
        outline = patch.outline(centre, float(patch.rng.uniform(4.5, 8.5)) / (1 + 0.6 * number), 0.14, 1.5)
        window, distance = patch.around(outline)
        edge = inside(distance, 0.5)
        gain = _pigment_gain(patch, spec, np.clip(1.0 + 0.35 * cloud[window], 0.3, 2.0))
        plugs = np.clip(warts[window] - 1.3, 0.0, 1.0)
        cysts = np.clip(-warts[window] - 1.7, 0.0, 0.6)
        patch.raise_to(
            window,
            melanin=edge * (gain + 0.35 * plugs),
            height=edge * (0.7 + 0.10 * warts[window]),
            scale=edge * (0.06 + cysts),
            gloss=0.2 * edge,
        )
        patch.add_spot(outline, window, distance < 0.0)


def _pigment_gain(patch: Patch, spec: CaseSpec, unevenness: Map) -> Map:
    """The change of log melanin in a brown mark. It adds more on darker skin, so that it stays visible there."""
    dose = float(patch.rng.uniform(0.035, 0.12)) + 0.6 * spec.melanin
    added = spec.severity * dose * unevenness
    return np.asarray(np.log1p(np.maximum(added, 0.0) / np.float32(spec.melanin)), dtype=np.float32)


def vitiligo(patch: Patch, spec: CaseSpec) -> None:
    """Two to six sharply bordered patches without melanin, slightly darker at the margin, some follicles spared."""
    follicles = np.clip(3.0 * (patch.noise(2.4) - 2.3), 0.0, 1.0)
    edges, margins = np.zeros_like(patch.melanin), np.zeros_like(patch.melanin)
    for _ in range(int(patch.rng.integers(2, 7))):
        outline = patch.outline(patch.place(0.6), float(patch.rng.uniform(6.0, 17.0)), 0.25, 1.6)
        window, distance = patch.around(outline, 9.0)
        edges[window] = np.maximum(edges[window], inside(distance, 0.8))
        margins[window] = np.maximum(margins[window], inside(distance - 3.0, 5.0))
        patch.add_spot(outline, window, distance < 0.0)
    loss = np.float32(np.log(DEPIGMENTED / spec.melanin))
    kept = 1.0 - edges * (1.0 - follicles)
    patch.melanin[:] = (1.0 - kept) * loss + 0.35 * np.float32(spec.severity) * margins * kept


PAINTERS: dict[str, Callable[[Patch, CaseSpec], None]] = {
    "Eczema": eczema,
    "Folliculitis": folliculitis,
    "Herpes Zoster": herpes_zoster,
    "Insect Bite": insect_bite,
    "Melanocytic Nevus": melanocytic_nevus,
    "Psoriasis": psoriasis,
    "SK/ISK": seborrhoeic_keratosis,
    "Tinea": tinea,
    "Urticaria": urticaria,
    "Vitiligo": vitiligo,
}
