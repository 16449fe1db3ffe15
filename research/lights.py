"""``python -m research.lights SKIN``: how skin, and the patches of a checker, change in coloured light.

White balance by a grey card scales R, G and B. That is right for a grey, but not for skin: under a lamp of 2,800 K,
skin keeps 4 units of b* too much. What is missing is a matrix, which depends on the light's temperature. This command
fits it to measured spectra of skin. It fits the same for the 18 coloured patches of a checker, to spectra that it makes
up from their published colours, because research.cards tests with the measured ones. It also fits the colour of the
lights. All are polynomials of degree 2 of the reciprocal temperature. ``--write`` writes them.

SKIN is the file of C. Cooksey, D. Allen and B. Tsai, "Reference Data Set of Human Skin Reflectance", J. Res. NIST 122
(2017), https://doi.org/10.18434/M38597, as CSV: 100 people, three spectra each and their average.

Prints how far L* and b* of these spectra, and of skin by ml.skin.optics, are off without and with the matrix.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from ml.skin import colour, optics
from ml.skin.colour import srgb_to_linear
from ml.skin.reference import PATCHES

Floats = NDArray[np.float64]

KELVIN = (2400, 2800, 3200, 3700, 4300, 5000, 5700, 6500, 7500, 9000, 11000)
_D65_KELVIN = 6504
_NM = optics.WAVELENGTHS_NM


def planck(kelvin: float) -> Floats:
    """The spectrum (31,) of a black body, without its factor (CODATA's second radiation constant)."""
    return np.asarray((_NM * 1e-9) ** -5 / (np.exp(1.4388e-2 / (_NM * 1e-9 * kelvin)) - 1))


def light(kelvin: float) -> Floats:
    """The spectrum (31,) of a light: Planck's below 5,000 K; else CIE daylight, as a ratio of Planck's to D65."""
    spectrum = planck(kelvin) if kelvin < 5000 else optics.D65 * planck(kelvin) / planck(_D65_KELVIN)
    return np.asarray(spectrum / (optics.observer()[1] @ spectrum))


def camera(reflectance: Floats, kelvin: float | None) -> Floats:
    """Linear sRGB (n, 3) of spectra (n, 31) under a light, Y of white = 1; None is D65."""
    seen = optics.observer() * (optics.D65 / (optics.observer()[1] @ optics.D65) if kelvin is None else light(kelvin))
    d65 = (optics.observer() * optics.D65).sum(axis=1) / (optics.observer()[1] @ optics.D65)
    return np.asarray(reflectance @ seen.T / d65 @ (colour.XYZ_TO_LINEAR * colour.D65).T)


def white(kelvin: float) -> Floats:
    """White (3,) in a light."""
    return np.asarray(camera(np.ones((1, len(_NM))), kelvin)[0])


@cache
def checker_spectra() -> Floats:
    """Reflectances (24, 31) of a ColorChecker Classic as measured by N. Ohta, "The basis of color reproduction
    engineering" (1997), from the Munsell Color Science Laboratory."""
    with (Path(__file__).parent / "checker.csv").open() as file:
        return np.array(list(csv.reader(file))[1:], np.float64) / 1000


def smooth_spectrum(linear: Floats) -> Floats:
    """The smoothest reflectance (31,) within 0–1 that has this linear sRGB (3,) under D65."""
    seen = camera(np.eye(len(_NM)), None).T
    stacked = np.vstack([1e3 * seen, np.diff(np.eye(len(_NM)), 2, axis=0)])
    return np.asarray(lsq_linear(stacked, np.append(1e3 * linear, np.zeros(len(_NM) - 2)), (0, 1)).x)


@cache
def model_skin() -> Floats:
    """Reflectances (n, 31) of skin of all tones by ml.skin.optics."""
    melanin, blood = (np.exp(of)[:: len(of) // 12, None] for of in (optics.LOG_MELANIN, optics.LOG_BLOOD))
    return np.concatenate([optics.reflectance(melanin, one) for one in blood])


def measured_skin(file: Path) -> Floats:
    """The average reflectances (100, 31) of 100 people."""
    rows = [row for row in csv.reader(file.open(encoding="latin-1")) if row and row[0].isdigit()]
    table = np.array([[float(cell) for cell in row[:401]] for row in rows])
    return np.stack([np.interp(_NM, table[:, 0], spectrum) for spectrum in table[:, 4::4].T])


def shift(kelvin: float) -> float:
    """Reciprocal temperature of a light less that of D65, in 100 mired."""
    return 1e4 / kelvin - 1e4 / _D65_KELVIN


def fitted(spectra: Floats) -> Floats:
    """K (2, 3, 3), so that colours c (n, 3) after white balance become those under D65 by c (1 + s K₀ + s² K₁), s being
    the ``shift``. Greys stay as they are: the columns of each K add up to 0."""
    true = camera(spectra, None)
    weights = 1 / np.sqrt(true @ colour.LUMA)[:, None]
    terms, missing = [], []
    for kelvin in KELVIN:
        seen = camera(spectra, kelvin) / white(kelvin)
        chroma = (seen[:, [0, 2]] - seen[:, [1]]) * weights
        terms.append(np.hstack([shift(kelvin) * chroma, shift(kelvin) ** 2 * chroma]))
        missing.append((true - seen) * weights)
    of_chroma, *_ = np.linalg.lstsq(np.concatenate(terms), np.concatenate(missing), rcond=None)
    return np.asarray(np.array([[1, -1, 0], [0, -1, 1]]).T @ of_chroma.reshape(2, 2, 3), np.float64)


def matrix(terms: Floats, kelvin: float) -> Floats:
    """The matrix (3, 3) for a light."""
    return np.asarray(np.eye(3) + shift(kelvin) * terms[0] + shift(kelvin) ** 2 * terms[1])


def locus() -> Floats:
    """L (2, 2), so that ln(R/G) and ln(B/G) of a light are s L₀ + s² L₁."""
    ratios = np.log([white(kelvin)[[0, 2]] / white(kelvin)[1] for kelvin in KELVIN])
    shifts = np.array([shift(kelvin) for kelvin in KELVIN])
    terms, *_ = np.linalg.lstsq(np.stack([shifts, shifts**2], axis=1), ratios, rcond=None)
    return np.asarray(terms, np.float64)


def off(spectra: Floats, kelvin: float, by: Floats) -> float:
    """The mean error of L* and b* together after white balance and a matrix (3, 3)."""
    true, found = (
        colour.linear_to_lab(of.astype(np.float32))
        for of in (camera(spectra, None), camera(spectra, kelvin) / white(kelvin) @ by)
    )
    return float(np.hypot(*(found - true)[:, [0, 2]].T).mean())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("skin", type=Path, help="spectra of the NIST, as CSV")
    parser.add_argument("--write", type=Path, help="ml/skin/params/reference.json")
    options = parser.parse_args(arguments)
    people = measured_skin(options.skin)
    half = people[::2], people[1::2]
    skin = fitted(people)
    patches = fitted(np.stack([smooth_spectrum(of) for of in srgb_to_linear(PATCHES[:18]).astype(np.float64)]))
    errors = {}
    for kelvin in (2800, 3500, 4500, 8000):
        errors[kelvin] = [
            round(one, 2)
            for one in (
                off(half[1], kelvin, np.eye(3)),
                off(half[1], kelvin, matrix(fitted(half[0]), kelvin)),
                off(model_skin(), kelvin, np.eye(3)),
                off(model_skin(), kelvin, matrix(skin, kelvin)),
            )
        ]
        print(
            "{:5} K: unseen people {:.2f} → {:.2f}, skin by the optical model {:.2f} → {:.2f}".format(
                kelvin, *errors[kelvin]
            )
        )
    if options.write:
        facts = {
            "skin": np.round(skin, 4).tolist(),
            "patches": np.round(patches, 4).tolist(),
            "locus": np.round(locus(), 4).tolist(),
            "meaning": "s: reciprocal temperature less that of D65, in 100 mired. After white balance, "
            "linear sRGB c becomes that under D65 by c (1 + s K0 + s² K1): K of skin, and of a checker's patches. "
            "ln(R/G) and ln(B/G) of a light: s L0 + s² L1",
            "data": "skin: 100 people, Cooksey et al. 2017, doi:10.18434/M38597; patches: smooth spectra of the "
            "published colours",
            "command": "python -m research.lights SKIN --write ml/skin/params/reference.json",
            "lab_error": {
                f"{kelvin} K": dict(zip(("people", "people_corrected", "model", "model_corrected"), of, strict=True))
                for kelvin, of in errors.items()
            },
        }
        options.write.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
