"""``python -m benchmarks.damage FOLDER``: how much damage of photo files is seen, by format and kind of damage.

The pictures of the folder are saved in each format, spoiled in each way, and decoded. A cell counts how the files
ended: refused / with a problem `damaged` / the same pixels as the whole file, or nearly / unseen. The last column is
the whole files: refused or with a problem there is a false alarm.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ml.errors import ImageError
from ml.imaging.decode import decode
from ml.values import Photo

#: name → format and options of Pillow's encoder
_FORMATS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "JPEG": ("JPEG", {"quality": 88}),
    "JPEG restarts": ("JPEG", {"quality": 88, "restart_marker_rows": 1}),
    "JPEG progr.": ("JPEG", {"quality": 88, "progressive": True}),
    "PNG": ("PNG", {"compress_level": 1}),
    "WebP": ("WEBP", {"quality": 88, "method": 0}),
    "WebP lossless": ("WEBP", {"lossless": True, "method": 0, "quality": 10}),
    "HEIC": ("HEIF", {"quality": 70, "enc_params": {"preset": "ultrafast"}}),
    "AVIF": ("AVIF", {"quality": 70, "speed": 10}),
    "TIFF": ("TIFF", {}),
    "TIFF LZW": ("TIFF", {"compression": "tiff_lzw"}),
    "TIFF deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "TIFF JPEG": ("TIFF", {"compression": "jpeg", "quality": 88}),
    "GIF": ("GIF", {}),
    "BMP": ("BMP", {}),
}
#: the same pixels: fewer than this share of them differ by more than a code or two
_SAME_SHARE = 1e-4
_SAME_CODES = 2
_OVERWRITTEN = 0.05
_DROPPED = 100

_Spoil = Callable[[bytes, np.random.Generator], bytes]


def _cut(share: float) -> _Spoil:
    return lambda data, random: data[: int(len(data) * share)]


def _overwritten(data: bytes, fill: bytes, at: int) -> bytes:
    return data[:at] + fill + data[at + len(fill) :]


def _zeroed(data: bytes, random: np.random.Generator) -> bytes:
    return _overwritten(data, bytes(int(len(data) * _OVERWRITTEN)), _place(data, random))


def _rubbish(data: bytes, random: np.random.Generator) -> bytes:
    return _overwritten(data, random.bytes(int(len(data) * _OVERWRITTEN)), _place(data, random))


def _dropped(data: bytes, random: np.random.Generator) -> bytes:
    at = _place(data, random)
    return data[:at] + data[at + _DROPPED :]


def _place(data: bytes, random: np.random.Generator) -> int:
    """Behind the headers, and so that what is spoiled ends in the file."""
    return int(len(data) * random.uniform(0.1, 1 - _OVERWRITTEN))


_DAMAGES: Mapping[str, _Spoil] = {
    **{f"cut at {percent} %": _cut(percent / 100) for percent in (10, 30, 50, 70, 90, 95, 98, 99)},
    "12 bytes short": lambda data, random: data[:-12],
    "zeroed 5 %": _zeroed,
    "rubbish 5 %": _rubbish,
    "100 bytes dropped": _dropped,
    "LF → CRLF": lambda data, random: data.replace(b"\n", b"\r\n"),
    "undamaged": lambda data, random: data,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--first", type=int, default=20, help="pictures that are used")
    parser.add_argument("--formats", nargs="*", choices=_FORMATS, default=list(_FORMATS))
    options = parser.parse_args(arguments)
    pictures = [path.read_bytes() for path in sorted(options.folder.iterdir()) if path.suffix in {".jpg", ".png"}]
    print(f"{min(options.first, len(pictures))} pictures; refused / problem / same / unseen")
    print(f"{'':15}" + "".join(f"{name.replace(' %', '%'):>18}" for name in _DAMAGES))
    for name in options.formats:
        counts = _counted(name, pictures[: options.first])
        print(f"{name:15}" + "".join(f"{_row(counts[damage]):>18}" for damage in _DAMAGES), flush=True)
    return 0


def _counted(name: str, pictures: list[bytes]) -> Mapping[str, Counter[str]]:
    """Damage → how the files ended."""
    random = np.random.default_rng(0)
    counts: dict[str, Counter[str]] = {damage: Counter() for damage in _DAMAGES}
    for picture in pictures:
        data = _saved(decode(picture).rgb, name)
        whole = decode(data)
        for damage, spoil in _DAMAGES.items():
            counts[damage][_ending(whole, spoil(data, random))] += 1
    return counts


def _row(counts: Counter[str]) -> str:
    return " / ".join(str(counts[ending]) for ending in ("refused", "problem", "same", "unseen"))


def _saved(rgb: np.ndarray, name: str) -> bytes:
    kind, options = _FORMATS[name]
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, kind, **options)
    return buffer.getvalue()


def _ending(whole: Photo, spoiled: bytes) -> str:
    try:
        photo = decode(spoiled)
    except ImageError:
        return "refused"
    if photo.problems:
        return "problem"
    return "same" if _alike(photo, whole) else "unseen"


def _alike(photo: Photo, other: Photo) -> bool:
    if photo.rgb.shape != other.rgb.shape:
        return False
    differ = np.abs(photo.rgb.astype(np.int16) - other.rgb) > _SAME_CODES
    return bool(differ.any(axis=2).mean() < _SAME_SHARE)


if __name__ == "__main__":
    sys.exit(main())
