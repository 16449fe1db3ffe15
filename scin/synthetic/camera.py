"""Light on the skin's relief, and a camera's way from light to an 8-bit sRGB photo."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from scin.synthetic.noise import band_noise
from scin.synthetic.values import Camera, Light, Map, UInt8Image

SHADOW_FLOOR = 0.12
HIGHLIGHT_STRENGTH = 0.045  # linear light at full gloss: skin's surface returns a few percent, spread over a lobe
HIGHLIGHT_SHARPNESS = 26.0
ENCODING_STEPS = 4096


def shade(light: Light, lean_x: Map, lean_y: Map) -> Map:
    """Light that reaches a surface whose normal leans so, float32 [H, W]: about 1 where it faces the camera.

    Lambert's cosine law over an ambient part, with an even fall-off across the frame.
    """
    lx, ly, lz = direction(light)
    facing = np.sqrt(np.maximum(1.0 - lean_x**2 - lean_y**2, 0.02))
    direct = np.maximum(lx * lean_x + ly * lean_y + lz * facing, 0.0) / np.float32(lz)
    height, width = lean_x.shape
    across = np.linspace(-1.0, 1.0, width, dtype=np.float32)[None, :] * lx
    down = np.linspace(-1.0, 1.0, height, dtype=np.float32)[:, None] * ly
    evenness = 1.0 + np.float32(light.falloff) * (across + down)
    mixed = light.ambient * (0.4 + 0.6 * facing) + (1.0 - light.ambient) * direct
    return np.asarray(np.maximum(mixed * evenness, SHADOW_FLOOR), dtype=np.float32)


def highlight(light: Light, lean_x: Map, lean_y: Map, gloss: Map) -> Map:
    """Light mirrored by the surface, linear, float32 [H, W] (Blinn–Phong half vector; `gloss` about 0 to 2)."""
    lx, ly, lz = direction(light)
    half = np.array([lx, ly, lz + 1.0]) / np.sqrt(2.0 * (1.0 + lz))
    facing = np.sqrt(np.maximum(1.0 - lean_x**2 - lean_y**2, 0.02))
    cosine = np.maximum(half[0] * lean_x + half[1] * lean_y + half[2] * facing, 0.0).astype(np.float32)
    lobe = cv2.pow(cosine, HIGHLIGHT_SHARPNESS / 2) ** 2
    return np.asarray(np.float32(HIGHLIGHT_STRENGTH) * gloss * lobe, dtype=np.float32)


def direction(light: Light) -> tuple[np.float32, np.float32, np.float32]:
    """The unit vector towards the lamp: right, down, and out of the photo."""
    azimuth, elevation = np.radians(light.azimuth_deg), np.radians(light.elevation_deg)
    flat = np.cos(elevation)
    return np.float32(flat * np.cos(azimuth)), np.float32(flat * np.sin(azimuth)), np.float32(np.sin(elevation))


def cloth(rng: np.random.Generator, height: int, width: int, rgb: tuple[float, float, float]) -> Map:
    """Linear sRGB float32 [H, W, 3] of a woven, slightly creased cloth."""
    side = max(height, width)
    rows = np.sin(np.arange(height, dtype=np.float32) * 1.9)[:, None]
    columns = np.sin(np.arange(width, dtype=np.float32) * 1.9)[None, :]
    creases = band_noise(rng, side, side / 2.5)[:height, :width]
    tone = np.clip(1.0 + 0.06 * rows * columns + 0.14 * creases, 0.3, 1.6)
    return np.asarray(tone[..., None] * np.array(rgb, np.float32), dtype=np.float32)


def expose(rng: np.random.Generator, scene: Map, camera: Camera) -> UInt8Image:
    """The photo of a linear scene [H, W, 3]: lens blur, gains, sensor noise (shot and read), clipping, sRGB."""
    gains = np.float32(camera.exposure) * np.array(camera.white_balance, np.float32)
    seen = np.asarray(cv2.GaussianBlur(scene, (0, 0), camera.blur_px), dtype=np.float32) * gains
    # A camera smooths colour noise when it interpolates its mosaic, so grain is never one pixel wide.
    grain: Map = rng.standard_normal(scene.shape, dtype=np.float32)
    grain = np.asarray(cv2.GaussianBlur(grain, (0, 0), 0.6), dtype=np.float32)
    spread = np.float32(camera.noise) * np.sqrt(np.maximum(seen, 0.0) + np.float32(0.01))
    return encode_srgb(np.asarray(seen + spread * grain, dtype=np.float32))


def encode_srgb(linear: Map) -> UInt8Image:
    """8-bit sRGB of linear light, clipped to [0, 1] (IEC 61966-2-1)."""
    # The table is indexed by the square root of light, which keeps its steps below one code even in the dark.
    index = np.sqrt(np.clip(linear, 0.0, 1.0)) * np.float32(ENCODING_STEPS - 1) + np.float32(0.5)
    return np.asarray(_ENCODING[index.astype(np.uint16)])


def _encoding_table() -> NDArray[np.uint8]:
    linear = (np.arange(ENCODING_STEPS) / (ENCODING_STEPS - 1)) ** 2
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(255.0 * curve), dtype=np.uint8)


_ENCODING = _encoding_table()
