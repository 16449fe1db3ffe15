"""Band-limited random fields: the mottling of skin, its furrows, and the wobble of an outline."""

from __future__ import annotations

import cv2
import numpy as np

from scin.synthetic.values import Map

FURROW_DIRECTIONS_DEG = (32.0, -38.0)  # two crossing families make the rhombic net of the skin's relief


def band_noise(rng: np.random.Generator, size: int, wavelength_px: float) -> Map:
    """Smooth noise float32 [size, size] of mean 0 and standard deviation near 1, varying over `wavelength_px`."""
    return _stretched_noise(rng, size, wavelength_px, wavelength_px)


def fractal_noise(rng: np.random.Generator, size: int, wavelength_px: float, octaves: int = 3) -> Map:
    """Noise of `octaves` bands, each half the wavelength and 0.6 of the strength of the one before."""
    total = np.zeros((size, size), np.float32)
    power = 0.0
    for octave in range(octaves):
        strength = 0.6**octave
        total += np.float32(strength) * band_noise(rng, size, wavelength_px / 2**octave)
        power += strength**2
    return np.asarray(total / np.float32(np.sqrt(power)))


def furrows(rng: np.random.Generator, size: int, spacing_px: float) -> Map:
    """Depth in [0, 1] of a net of fine furrows, float32 [size, size]: the zero lines of two stretched noises."""
    depth = np.zeros((size, size), np.float32)
    for direction in FURROW_DIRECTIONS_DEG:
        turn = cv2.getRotationMatrix2D((size / 2, size / 2), direction + float(rng.normal(0.0, 6.0)), 1.0)
        streaks = _stretched_noise(rng, size, 5.0 * spacing_px, 2.0 * spacing_px)
        turned = cv2.warpAffine(streaks, turn, (size, size), borderMode=cv2.BORDER_REFLECT_101)
        depth = np.maximum(depth, np.exp(-((turned * np.float32(3.2)) ** 2)))
    return depth


def _stretched_noise(rng: np.random.Generator, size: int, wavelength_x: float, wavelength_y: float) -> Map:
    columns = _samples(size, wavelength_x)
    rows = _samples(size, wavelength_y)
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    field = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(field * np.float32(1.0 / max(float(field.std()), 1e-6)))


def _samples(size: int, wavelength_px: float) -> int:
    return int(np.clip(round(2.0 * size / wavelength_px), 3, size))
