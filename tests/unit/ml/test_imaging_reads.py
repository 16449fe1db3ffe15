"""A decoder that looks through rubbish byte by byte is stopped; an honest file never is."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ml.errors import DamagedImageError
from ml.imaging.decode import FORMATS, decode
from ml.imaging.limits import MOST_READS, BoundedReads

RUBBISH = {
    "a JPEG without a frame": b"\xff\xd8\xff\xe0",
    "a JPEG of padding": b"\xff\xd8" + b"\xff" * 8,
    "a GIF without a picture": b"GIF89a\x40\0\x40\0\0\0\0",
}


@pytest.mark.parametrize("start", RUBBISH.values(), ids=RUBBISH)
def test_rubbish_is_refused_after_so_many_reads(start: bytes) -> None:
    data = start + bytes(8 * MOST_READS)
    with pytest.raises(DamagedImageError):
        decode(data)
    stream = BoundedReads(data)
    with pytest.raises(OSError, match=r"."), Image.open(stream, formats=FORMATS) as image:
        image.load()
    assert stream.tell() <= 2 * MOST_READS


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
def test_a_photo_of_many_bytes_needs_few_reads(kind: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (1200, 1600, 3), dtype=np.uint8)
    data = io.BytesIO()
    Image.fromarray(noise).save(data, kind)
    counted = BoundedReads(data.getvalue())
    with Image.open(counted, formats=FORMATS) as image:
        image.load()
    assert MOST_READS - counted._left < MOST_READS / 50, "of 2 megapixels; the largest photo has twenty times as many"
