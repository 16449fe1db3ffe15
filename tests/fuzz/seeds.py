"""Files to start from: every format, generated, and real files where the shared data exist."""

from __future__ import annotations

import base64
import io
import json
import os
import struct
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pillow_heif
from PIL import Image, ImageCms

from tests.dicom_files import (
    BIG_ENDIAN,
    DEFLATED,
    DERMOSCOPIC,
    IMPLICIT,
    JPEG,
    JPEG_2000,
    RLE,
    SECONDARY_CAPTURE,
    dicom,
    in_ycbcr,
    jpeg,
    jpeg2000,
)

REPOSITORY = Path(__file__).resolve().parents[2]
#: larger files take long, and their headers are like those of smaller ones
_LARGEST = 300_000
_BOUNDARY = "cut-here"
_FORM = "application/x-www-form-urlencoded"
MULTIPART = f"multipart/form-data; boundary={_BOUNDARY}"


@cache
def photos() -> tuple[bytes, ...]:
    """Photo files."""
    return (*_made(), *_from_the_field())


@cache
def bodies() -> tuple[tuple[str, bytes], ...]:
    """(content type, body) of requests in every form."""
    photo = _saved("JPEG", quality=40)
    text = base64.b64encode(photo).decode()
    person = {"age": 54, "sex": "female", "body_site": "arm"}
    return (
        (MULTIPART, _multipart(photo)),
        (MULTIPART, _multipart(photo, photo, photo)),
        ("application/json", _multipart(photo)),
        ("application/json", json.dumps({"image": text, **person, "k": 3}).encode()),
        (
            "application/json",
            json.dumps({"image_data": f"data:image/jpeg;base64,{text}", "demographics": person}).encode(),
        ),
        ("application/json", json.dumps({"images": [text, text], "user_parameters": json.dumps(person)}).encode()),
        ("application/json", b'{"test": "ml_capability"}'),
        ("", json.dumps({"image": text}).encode()),
        ("image/jpeg", photo),
        ("application/octet-stream", b"data:image/jpeg" + photo),
        (
            "application/x-www-form-urlencoded",
            urlencode({"photo": f"data:image/jpeg;base64,{text}", **person}).encode(),
        ),
        ("application/x-www-form-urlencoded", f"age=undefined&file[0]={text}".encode()),
        ("text/plain", text.encode()),
        ("application/json", json.dumps({"data": {"image": {"content": text, "type": "jpeg"}}}).encode()),
        (MULTIPART, _plain_parts(photo, base64.encodebytes(photo))),
    )


#: how many of the photos were made by code: they come first
MADE = 51


def _multipart(*views: bytes) -> bytes:
    lines: list[bytes] = []
    for name, value in {"age": b"54", "note": b'["eczema"]', "user_demographics": b'{"sex": "male"}'}.items():
        lines += [f"--{_BOUNDARY}".encode(), f'Content-Disposition: form-data; name="{name}"'.encode(), b"", value]
    for view in views:
        head = b'Content-Disposition: form-data; name="image"; filename="view.jpg"'
        lines += [f"--{_BOUNDARY}".encode(), head, b"Content-Type: image/jpeg", b"", view]
    return b"\r\n".join([*lines, f"--{_BOUNDARY}--".encode(), b""])


def _plain_parts(photo: bytes, text: bytes) -> bytes:
    """Parts without file names: a photo by its bytes alone, and one as base64."""
    cut, name = f"--{_BOUNDARY}".encode(), b'Content-Disposition: form-data; name="img"'
    coded = b"Content-Transfer-Encoding: base64"
    return b"\r\n".join([cut, name, b"", photo, cut, name, coded, b"", text, cut + b"--", b""])


def _made() -> list[bytes]:
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = 6, "somebody"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    made = [
        _saved("JPEG", exif=exif.tobytes(), icc_profile=profile),
        _saved("JPEG", progressive=True, subsampling=0),
        _saved("JPEG", "CMYK"),
        _saved("JPEG", "L"),
        *[_saved("PNG", mode) for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16")],
        _saved("PNG", exif=exif.tobytes(), icc_profile=profile),
        _saved("PNG", save_all=True, append_images=[_picture().rotate(90)]),
        _saved("WEBP", exif=exif.tobytes()),
        _saved("WEBP", "RGBA", lossless=True),
        _saved("WEBP", save_all=True, append_images=[_picture().rotate(90)]),
        _saved("GIF", "P", save_all=True, append_images=[_picture("P").rotate(90)]),
        _saved("BMP"),
        _saved("BMP", "P"),
        *[_saved("TIFF", compression=name) for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")],
        *[_saved("TIFF", mode) for mode in ("L", "RGBA", "CMYK", "I;16", "1", "LAB")],
        _saved("MPO", save_all=True, append_images=[_picture().rotate(90)]),
        _saved("AVIF", quality=50, exif=exif.tobytes()),
    ]
    heif = io.BytesIO()
    pillow_heif.from_pillow(_picture()).save(heif, quality=50)
    return [*made, heif.getvalue(), *_as_large_as_allowed(), *_dicom()]


def dicom_parts() -> list[tuple[bytes, bytes]]:
    """(what makes it a DICOM file, its data set) of each: most damage to the former makes any file of it."""
    ends = [(data, 144 + int.from_bytes(data[140:144], "little")) for data in _dicom()]
    return [(data[:end], data[end:]) for data, end in ends]


@cache
def _dicom() -> list[bytes]:
    rgb = np.asarray(_picture())
    ybr, grey = in_ycbcr(rgb), rgb[..., 0].astype(np.uint16) * 16
    palette = {f"{colour}PaletteColorLookupTableData": bytes(range(256)) for colour in ("Red", "Green", "Blue")}
    palette |= {key.replace("Data", "Descriptor"): [256, 0, 8] for key in palette}  # type: ignore[misc]
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    frames = [jpeg(rgb), jpeg(rgb)]
    flat = np.full((7990, 8000), 150, np.uint8)
    runs = struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\x96" * (flat.size // 128)
    return [
        dicom(rgb, syntax=IMPLICIT, PixelSpacing=[0.05, 0.05]),
        dicom(rgb, ICCProfile=profile, by_plane=True),
        dicom(ybr, "YBR_FULL_422", BIG_ENDIAN),
        dicom(ybr, "YBR_FULL", DEFLATED),
        dicom(rgb, syntax=RLE),
        dicom(grey, "MONOCHROME1", RLE, BitsStored=12, HighBit=11, WindowCenter=[2000, 40], WindowWidth=[3000, 80]),
        dicom(rgb[..., 0], "PALETTE COLOR", **palette),
        dicom(rgb, "YBR_FULL_422", JPEG, coded=frames, fragments=2, NumberOfFrames=2, kind=SECONDARY_CAPTURE),
        dicom(rgb, "RGB", JPEG, coded=[jpeg(rgb, coded_as_rgb=True, marked=False)], kind=DERMOSCOPIC),
        dicom(rgb, "YBR_RCT", JPEG_2000, coded=[jpeg2000(rgb)]),
        dicom(grey, "MONOCHROME2", JPEG_2000, coded=[jpeg2000(grey)]),
        dicom(rgb, "YBR_ICT", JPEG_2000, coded=[jpeg2000(rgb, irreversible=True, tile_size=(32, 32))]),
        dicom(flat, "MONOCHROME2", DEFLATED),
        dicom(flat, "MONOCHROME2", RLE, coded=[runs]),
        dicom(flat[:4000, :4000], "MONOCHROME2", JPEG_2000, coded=[jpeg2000(flat[:4000, :4000])]),
    ]


def _as_large_as_allowed() -> list[bytes]:
    """64 million pixels in a few kilobytes: what is spoiled in them costs most."""
    flat, made = Image.new("RGB", (8000, 7990), (200, 150, 130)), []
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True}), ("AVIF", {"speed": 10})):
        buffer = io.BytesIO()
        flat.save(buffer, kind, **options)
        made.append(buffer.getvalue())
    return made


def _saved(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    _picture(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def _picture(mode: str = "RGB") -> Image.Image:
    noise = np.random.default_rng(7).integers(0, 60, (64, 96, 3))
    picture = Image.fromarray((np.linspace(40, 190, 96)[None, :, None] + noise).astype(np.uint8))
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    return (
        picture if mode == "RGB" else picture.convert("L").convert(mode) if mode == "LA" else _converted(picture, mode)
    )


def _converted(picture: Image.Image, mode: str) -> Image.Image:
    if mode != "LAB":
        return picture.convert(mode)
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    converted = ImageCms.applyTransform(picture, to_lab)
    if converted is None:
        raise RuntimeError("no conversion")
    return converted


def _from_the_field() -> list[bytes]:
    folder = Path(os.environ.get("DERMSERVE_SHARED", REPOSITORY.parent / "shared")) / "data" / "badimages"
    paths = sorted(path for path in folder.glob("*") if path.suffix not in {".csv", ".md"})
    return [path.read_bytes() for path in paths if path.stat().st_size <= _LARGEST]
