"""``python -m research.photo_kind.things FOLDER``: collect pictures of things other than skin from packages.

Downloads Debian packages with ``apt-get download`` and unpacks them without installing. Also copies pictures from the
installed scikit-image and scikit-learn. Leaves out pictures of hands and people, because they show skin. The project
does not contain these pictures.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

DEBIAN = (
    "tuxpaint-stamps-default",
    "gcompris-qt-data",
    "gnome-backgrounds",
    "mate-backgrounds",
    "plasma-workspace-wallpapers",
    "ukui-wallpapers",
    "lomiri-wallpapers-16.04",
    "extremetuxracer-data",
    "gimp-data",
)
WHEELS = {"skimage": "data", "sklearn": "datasets/images"}
_SHOWS_PEOPLE = re.compile(
    r"/(asl|people|faces|military|medical)/|leftright|lang_|body|hand|astronaut|cell|microaneurysms|retina|ihc|lily",
    re.I,
)
_EMBEDDED = re.compile(rb"RIFF....WEBP|\xff\xd8\xff[\xe0\xe1\xdb]|\x89PNG\r\n\x1a\n", re.DOTALL)
_SIDES = (120, 1024)  # smaller pictures are icons; larger ones are reduced to this


def gather(folder: Path) -> dict[str, int]:
    """Create one folder of WebP pictures per package below ``folder``. Returns {package: number of pictures}."""
    counts = {}
    with tempfile.TemporaryDirectory() as scratch:
        for package in DEBIAN:
            counts[package] = _save(_pictures(_opened(package, Path(scratch))), folder / package)
    for module, place in WHEELS.items():
        spec = find_spec(module)
        if spec is not None and spec.origin:
            counts[module] = _save(_pictures(Path(spec.origin).parent / place), folder / module)
    return counts


def _opened(package: str, scratch: Path) -> Path:
    subprocess.run(["apt-get", "download", "-qq", package], cwd=scratch, check=True)
    archive = next(scratch.glob(f"{package}_*.deb"))
    subprocess.run(["dpkg", "-x", archive.name, package], cwd=scratch, check=True)
    return scratch / package


def _pictures(folder: Path) -> Iterator[Image.Image]:
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.is_symlink() or _SHOWS_PEOPLE.search(str(path.relative_to(folder.parent))):
            continue
        if path.suffix == ".rcc":  # Qt resource files contain unchanged picture files
            yield from _embedded(path.read_bytes())
        elif path.suffix == ".pat":
            yield _pattern(path.read_bytes())
        elif path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"):
            yield from _embedded(path.read_bytes())


def _embedded(data: bytes) -> Iterator[Image.Image]:
    for start in _EMBEDDED.finditer(data):
        try:
            image = Image.open(io.BytesIO(data[start.start() :]))
            if min(image.size) >= _SIDES[0]:
                image.load()
                yield image
        except (OSError, SyntaxError, ValueError):  # not a picture, although it begins like one
            continue


def _pattern(data: bytes) -> Image.Image:
    """A GIMP pattern: six big-endian words (header length, version, width, height, bytes per pixel, magic), pixels."""
    header, _, width, height, depth, _ = np.frombuffer(data[:24], ">u4").tolist()
    pixels = np.frombuffer(data[header:], np.uint8)[: width * height * depth].reshape(height, width, depth)
    tiled = np.tile(pixels[..., : 3 if depth >= 3 else 1], (-(-256 // height), -(-256 // width), 1))
    return Image.fromarray(np.ascontiguousarray(tiled.squeeze()))


def _save(pictures: Iterator[Image.Image], folder: Path) -> int:
    """Save each distinct picture once, with a white background."""
    folder.mkdir(parents=True, exist_ok=True)
    seen: set[bytes] = set()
    for picture in pictures:
        rgba = picture.convert("RGBA")
        rgba.thumbnail((_SIDES[1], _SIDES[1]))
        key = rgba.convert("L").resize((16, 16)).tobytes()
        if key in seen:
            continue
        seen.add(key)
        white = Image.new("RGBA", rgba.size, "white")
        Image.alpha_composite(white, rgba).convert("RGB").save(folder / f"{len(seen):04}.webp", quality=92)
    return len(seen)


if __name__ == "__main__":
    for name, count in gather(Path(sys.argv[1])).items():
        sys.stdout.write(f"{name}: {count}\n")
