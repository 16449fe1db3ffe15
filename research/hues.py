"""``python -m research.hues DATA``: which photos are classified as monochrome (black and white, or one hue).

DATA holds collections of skin photos (see research.photo_kind.pictures). For the original photos and for copies with a
twelfth of their light, prints the share that is wrongly classified as monochrome with its 95% interval, and the lowest
spreads of chroma. For copies in black and white, sepia or another tint, uncompressed and as JPEGs, prints the share
that is recognized.
"""

from __future__ import annotations

import argparse
import io
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from ml.imaging.encodings import linear_to_srgb
from ml.skin.colour import srgb_to_linear, working_copy
from ml.skin.quality import chroma_spread, has_colours
from ml.values import RGB
from research.photo_kind.pictures import skin_photos
from research.shares import report_share

_DIM = 1 / 12
_SEED = 1
#: (colour of white, colour of black)
_TINTS = {
    "black and white": ((255, 255, 255), (0, 0, 0)),
    "faint warm tint": ((255, 250, 240), (0, 0, 0)),
    "sepia": ((255, 236, 190), (40, 26, 12)),
    "two inks": ((255, 240, 200), (40, 20, 60)),
    "red light": ((255, 80, 80), (0, 0, 0)),
    "green light": ((130, 255, 130), (0, 0, 0)),
}
_QUALITIES = (None, 90, 70, 50)


def tinted(photo: RGB) -> Iterator[tuple[str, RGB]]:
    """Copies of ``photo`` in each tint and each JPEG quality, with their names."""
    grey = np.asarray(Image.fromarray(photo).convert("L"), np.float32)[..., None] / 255
    for name, (white, black) in _TINTS.items():
        pixels = np.rint(grey * np.array(white) + (1 - grey) * np.array(black)).astype(np.uint8)
        for quality in _QUALITIES:
            yield (name, pixels) if quality is None else (f"{name}, JPEG {quality}", _as_jpeg(pixels, quality))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tinted", type=int, default=60, help="photos to tint")
    options = parser.parse_args(arguments)
    photos = list(skin_photos(options.data))
    copies: dict[str, list[RGB]] = {}
    for picture in photos:
        copy = working_copy(picture.load())
        copies.setdefault(picture.source, []).append(copy)
        copies.setdefault(f"{picture.source}, dim", []).append(_dimmed(copy))
    for name, of in copies.items():
        report_share(f"{name}: classified as monochrome", np.array([not has_colours(copy) for copy in of]))
        spreads = sorted(found for found in map(chroma_spread, of) if found is not None)
        print(f"  lowest spreads: {', '.join(f'{value:.2f}' for value in spreads[:3])}")
    hits: dict[str, list[bool]] = {}
    for picture in random.Random(_SEED).sample(photos, min(options.tinted, len(photos))):  # noqa: S311 - a sample
        for name, copy in tinted(picture.load()):
            hits.setdefault(name, []).append(not has_colours(working_copy(copy)))
    for name, found in hits.items():
        report_share(f"{name}: recognized", np.array(found))
    return 0


def _dimmed(copy: RGB) -> RGB:
    return linear_to_srgb(srgb_to_linear(copy) * np.float32(_DIM))


def _as_jpeg(pixels: RGB, quality: int) -> RGB:
    stored = io.BytesIO()
    Image.fromarray(pixels).save(stored, "JPEG", quality=quality)
    return np.asarray(Image.open(stored))


if __name__ == "__main__":
    sys.exit(main())
