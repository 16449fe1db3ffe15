"""A square of skin being drawn on: coordinates in millimetres, the maps that lesions change, and outlines."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from scin.synthetic.noise import fractal_noise
from scin.synthetic.values import Map, Mask

PATCH_PX = 576

Spot = tuple[float, float]


def _blank() -> Map:
    return np.zeros((PATCH_PX, PATCH_PX), np.float32)


@dataclass(frozen=True, slots=True)
class Outline:
    """A closed, slightly irregular outline: an ellipse whose radius wavers with the angle."""

    x_mm: float
    y_mm: float
    radius_mm: float
    aspect: float
    turn: float
    waves: tuple[tuple[int, float, float], ...]


@dataclass(slots=True)
class Patch:
    """What lesions do to a square of skin, `extent_mm` wide; every map is float32 [PATCH_PX, PATCH_PX].

    `melanin` and `blood` are changes of the natural logarithm of the volume fractions. `height` is in mm. `scale`
    (loose keratin), `crust`, `fluid` (serum or pus) are opacities in [0, 1]; `gloss` adds to the skin's shine.
    `x`, `y` are millimetres from the centre, bent by a smooth random field so that outlines look grown, not drawn.
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
        """Pixels in a millimetre of skin."""
        return PATCH_PX / self.extent_mm

    def noise(self, wavelength_mm: float, octaves: int = 2) -> Map:
        """Smooth noise over the whole patch, mean 0 and standard deviation about 1."""
        return fractal_noise(self.rng, PATCH_PX, wavelength_mm * self.pixels_per_mm, octaves)

    def place(self, spread: float) -> tuple[float, float]:
        """A random point, mm, within `spread` of the half side from the centre (the first one: nearer)."""
        radius = spread * self.extent_mm / 2 * float(np.sqrt(self.rng.random()))
        angle = float(self.rng.uniform(0.0, 2 * np.pi))
        if not self.spots:  # every photo is of something: the first lesion lies near the middle
            radius *= 0.3
        return radius * float(np.cos(angle)), radius * float(np.sin(angle))

    def outline(
        self, centre: tuple[float, float], radius_mm: float, wobble: float = 0.1, aspect: float = 1.3
    ) -> Outline:
        """A random outline of about this radius; `wobble` is the relative depth of its waves."""
        waves = tuple(
            (k, 2.5 * wobble / k**2 * float(self.rng.normal()), float(self.rng.uniform(0, 2 * np.pi)))
            for k in (2, 3, 4, 6)
        )
        stretch = float(self.rng.uniform(1.0, aspect))
        return Outline(*centre, radius_mm, stretch, float(self.rng.uniform(0, np.pi)), waves)

    def window(self, outline: Outline, reach_mm: float = 0.0) -> tuple[slice, slice]:
        """The rows and columns that hold an outline and `reach_mm` around it."""
        reach = outline.radius_mm * outline.aspect * 1.5 + reach_mm + 0.04 * self.extent_mm
        bounds = []
        for centre in (outline.y_mm, outline.x_mm):
            low = int((centre - reach) * self.pixels_per_mm + PATCH_PX / 2)
            high = int((centre + reach) * self.pixels_per_mm + PATCH_PX / 2) + 1
            bounds.append(slice(int(np.clip(low, 0, PATCH_PX)), int(np.clip(high, 0, PATCH_PX))))
        return bounds[0], bounds[1]

    def distance(self, outline: Outline, window: tuple[slice, slice]) -> Map:
        """About how far, mm, each point of the window lies outside the outline (negative inside)."""
        dx, dy = self.x[window] - np.float32(outline.x_mm), self.y[window] - np.float32(outline.y_mm)
        cosine, sine = np.float32(np.cos(outline.turn)), np.float32(np.sin(outline.turn))
        along = (cosine * dx + sine * dy) / np.float32(np.sqrt(outline.aspect))
        across = (cosine * dy - sine * dx) * np.float32(np.sqrt(outline.aspect))
        angle = np.arctan2(across, along)
        edge = np.full_like(angle, 1.0)
        for k, depth, phase in outline.waves:
            edge += np.float32(depth) * np.cos(k * angle + np.float32(phase))
        return np.asarray(np.hypot(along, across) - np.float32(outline.radius_mm) * edge, dtype=np.float32)


def inside(distance_mm: Map, softness_mm: float) -> Map:
    """1 well inside an outline, 0 well outside, with a smooth edge `softness_mm` wide on either side."""
    t = np.clip(0.5 - distance_mm / np.float32(2.0 * softness_mm), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), dtype=np.float32)


def dome(distance_mm: Map, radius_mm: float) -> Map:
    """The height, 0 to 1, of a dome over an outline of this radius that rises softly from the skin around it."""
    t = np.clip(0.15 - distance_mm / np.float32(radius_mm), 0.0, 1.15) / np.float32(1.15)
    return np.asarray(np.sin(np.float32(np.pi / 2) * t) ** 2 * (2.0 - t) * t, dtype=np.float32)
