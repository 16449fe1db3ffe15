"""Damaged and hostile DICOM files: an error that the caller can act on, little memory, and no word about a patient."""

from __future__ import annotations

import base64
import contextlib
import io
import pickle
import subprocess
import sys
import traceback
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread

from ml.errors import DamagedImageError, ImageError, ImageTooLargeError, UnsupportedImageError
from ml.imaging import jpeg2000 as codestreams
from ml.imaging.decode import decode
from tests.dicom_files import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    JPEG_2000,
    RLE,
    SECRET,
    dicom,
    jpeg,
    jpeg2000,
    rle,
)
from tests.unit.ml.photo_files import noise

PICTURE = noise(48, 40)
FILES = {
    "implicit": dicom(PICTURE, syntax=IMPLICIT),
    "explicit": dicom(PICTURE),
    "big endian": dicom(PICTURE, syntax=BIG_ENDIAN),
    "deflated": dicom(PICTURE, syntax=DEFLATED),
    "RLE": dicom(PICTURE, syntax=RLE),
    "JPEG": dicom(PICTURE, "YBR_FULL_422", JPEG, coded=[jpeg(PICTURE)]),
    "JPEG 2000": dicom(PICTURE, "YBR_RCT", JPEG_2000, coded=[jpeg2000(PICTURE)]),
}
WHOLE = {name: decode(data).rgb for name, data in FILES.items()}
#: a sequence or item of unknown length, and the end of one
_SEQUENCE, _ITEM = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff", b"\xfe\xff\0\xe0\xff\xff\xff\xff"
_ITEM_ENDS, _SEQUENCE_ENDS = b"\xfe\xff\x0d\xe0\0\0\0\0", b"\xfe\xff\xdd\xe0\0\0\0\0"
#: pixel data in fragments, whose table of offsets has one
_ONE_OFFSET = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\4\0\0\0"
#: the bytes in front of Rows
_ROWS = b"\x28\0\x10\0US"


def with_elements(elements: bytes) -> bytes:
    """A photo with further ``elements`` in front of Rows."""
    head, rows, rest = FILES["explicit"].partition(_ROWS)
    return head + elements + rows + rest


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9, 0.98])
def test_a_file_that_is_cut_short_is_damaged(name: str, share: float) -> None:
    """In the first part it may not even state its class, so it is no photo."""
    data = FILES[name]
    with pytest.raises(DamagedImageError if share > 0.2 else UnsupportedImageError):
        decode(data[: int(len(data) * share)])


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(sorted(FILES)), st.floats(0, 1))
def test_a_cut_file_gives_the_whole_photo_or_an_error(name: str, share: float) -> None:
    data = FILES[name]
    try:
        photo = decode(data[: int(len(data) * share)])
    except ImageError:
        return
    assert np.array_equal(photo.rgb, WHOLE[name]) or photo.problems


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_sent_as_text_is_damaged(name: str) -> None:
    with pytest.raises((DamagedImageError, UnsupportedImageError)):
        decode(FILES[name].replace(b"\n", b"\r\n"))


@pytest.mark.parametrize("elements", [{"Rows": 41}, {"Columns": 49}, {"Rows": 60}, {"Columns": 96}])
@pytest.mark.parametrize("name", ["explicit", "deflated", "RLE", "JPEG", "JPEG 2000"])
def test_more_pixels_than_the_data_have(name: str, elements: dict[str, int]) -> None:
    syntax, photometric, coded = {
        "explicit": (EXPLICIT, "RGB", ()),
        "deflated": (DEFLATED, "RGB", ()),
        "RLE": (RLE, "RGB", [rle(PICTURE)]),
        "JPEG": (JPEG, "YBR_FULL_422", [jpeg(PICTURE)]),
        "JPEG 2000": (JPEG_2000, "YBR_RCT", [jpeg2000(PICTURE)]),
    }[name]
    with pytest.raises(DamagedImageError):
        decode(dicom(PICTURE, photometric, syntax, coded=coded, **elements))


def test_bytes_after_the_pixels_do_no_harm() -> None:
    padded = np.concatenate([PICTURE, PICTURE])
    assert np.array_equal(decode(dicom(padded, Rows=len(PICTURE))).rgb, PICTURE)


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "BitsAllocated"])
def test_a_missing_size_is_damage(keyword: str) -> None:
    file = dcmread(io.BytesIO(FILES["explicit"]))
    delattr(file, keyword)
    written = io.BytesIO()
    file.save_as(written)
    with pytest.raises(DamagedImageError, match="Send the original file"):
        decode(written.getvalue())


def test_a_photo_without_pixels_is_damaged() -> None:
    with pytest.raises(DamagedImageError):
        decode(FILES["explicit"].partition(b"\xe0\x7f\x10\0")[0])


@pytest.mark.parametrize(
    "elements",
    [
        {"BitsStored": 0},
        {"BitsStored": 7, "HighBit": 5},
        {"HighBit": 8},
        {"NumberOfFrames": 2**31 - 1, "Rows": 41},
        {"WindowCenter": 1e308, "WindowWidth": 1e-308},
        {"RescaleSlope": 1e308, "RescaleIntercept": -1e308, "WindowCenter": 0, "WindowWidth": 1},
    ],
)
@pytest.mark.parametrize("photometric", ["RGB", "MONOCHROME2"])
def test_impossible_numbers_raise_nothing_else(photometric: str, elements: dict[str, Any]) -> None:
    samples = PICTURE if photometric == "RGB" else PICTURE[..., 0]
    try:
        assert decode(dicom(samples, photometric, **elements)).rgb.shape == (40, 48, 3)
    except ImageError:
        return


@pytest.mark.parametrize("hole", [b"\0", b"\xff"])
def test_overwritten_pixels_are_found(hole: bytes) -> None:
    smooth = np.broadcast_to(np.linspace(60, 200, 300)[None, :, None], (200, 300, 3)).astype(np.uint8)
    data = dicom(smooth)
    at = len(data) - 90_017
    with pytest.raises(DamagedImageError):
        decode(data[:at] + hole * 9000 + data[at + 9000 :])


def grown_mib(data: bytes) -> float:
    """How far the resident memory rises while ``data`` is decoded, whatever becomes of it."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew: man 5 proc
    before = memory_mib("VmRSS")
    with contextlib.suppress(ImageError):
        decode(data)
    return memory_mib("VmHWM") - before


def memory_mib(name: str) -> float:
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(name))) / 1024


HOSTILE = {
    "sequences in sequences": with_elements((_SEQUENCE + _ITEM) * 20_000),
    "many items": with_elements(_SEQUENCE + (_ITEM + _ITEM_ENDS) * 500_000 + _SEQUENCE_ENDS),
    "many elements": with_elements(b"\x08\0\x40\x11CS\0\0" * 1_000_000),
    "a long number": with_elements(b"\x28\0\x08\0IS\xfe\xff" + b"1" * 0xFFFE),
    "a number of many parts": with_elements(b"\x28\0\x50\x10DS\xfe\xff" + b"1\\" * 0x7FFF),
    "an element longer than the file": with_elements(b"\x28\0\0\x20OB\0\0\xf0\xff\xff\x7f"),
    "a profile without an end": with_elements(b"\x28\0\0\x20OB\0\0\xff\xff\xff\xff" + bytes(1 << 22)),
    "offsets without an end": FILES["JPEG"].replace(_ONE_OFFSET, _ONE_OFFSET[:-4] + b"\0\0\0\4" + bytes(1 << 26)),
    "offsets of many frames": dicom(
        PICTURE, "YBR_FULL_422", JPEG, coded=[jpeg(PICTURE)], NumberOfFrames=2**31 - 1
    ).replace(_ONE_OFFSET, _ONE_OFFSET[:-4] + b"\0\0\0\4" + bytes(1 << 26)),
    "many fragments": FILES["JPEG"].partition(b"\xfe\xff\0\xe0")[0] + b"\xfe\xff\0\xe0\0\0\0\0" * 1_000_000,
}


def test_the_hostile_files_are_what_they_are_called() -> None:
    """A change of the bytes that they are made from would make them harmless."""
    assert set(HOSTILE.values()).isdisjoint(FILES.values())
    assert len(HOSTILE["offsets of many frames"]) > 1 << 26


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers_take_little_memory(name: str) -> None:
    assert grown_mib(HOSTILE[name]) < 50


def data_set_of(data: bytes) -> int:
    """The offset of the data set, which the length of the first group tells."""
    return 144 + int.from_bytes(data[140:144], "little")


def deflated(data_set: bytes) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = FILES["deflated"][: data_set_of(FILES["deflated"])]
    return head + stream.compress(data_set) + stream.flush()


def test_inflating_ends_with_the_first_frame() -> None:
    explicit = FILES["explicit"]
    data = deflated(explicit[data_set_of(explicit) :] + bytes(1 << 27))
    assert np.array_equal(decode(data).rgb, PICTURE)
    assert grown_mib(data) < 50


def test_a_header_that_inflates_to_too_much_is_refused() -> None:
    data = with_elements(b"\x28\0\0\x20OB\0\0\0\0\0\x10" + bytes(1 << 27))
    hostile = deflated(data[data_set_of(data) :])
    with pytest.raises(DamagedImageError):
        decode(hostile)
    assert grown_mib(hostile) < 50


def test_a_first_frame_that_inflates_to_too_much_is_refused() -> None:
    data = dicom(noise(64, 64).astype(np.uint16), Rows=7990, Columns=8000)
    with pytest.raises(ImageTooLargeError, match="64 million"):
        decode(deflated(data[data_set_of(data) :]))


FLAT = np.full((2048, 2048, 3), 150, np.uint8)


def with_segment(segment: bytes, *, in_tile: bool) -> bytes:
    """FLAT in JPEG 2000 with a further segment in its main header or in that of its tile."""
    coded = jpeg2000(FLAT)
    at = coded.index(b"\xff\x90")
    if in_tile:
        length = int.from_bytes(coded[at + 6 : at + 10], "big") + len(segment)
        coded = coded[: at + 6] + length.to_bytes(4, "big") + coded[at + 10 :]
        at += 12
    return dicom(FLAT, "YBR_RCT", JPEG_2000, coded=[coded[:at] + segment + coded[at:]])


#: code blocks of 4 × 4 pixels, for all components and for the first one; precincts of one pixel
SMALL_BLOCKS = b"\xff\x52\0\x0c\0\0\0\1\0\5\0\0\0\1"
SMALL_BLOCKS_OF_ONE = b"\xff\x53\0\x09\0\0\5\0\0\0\1"
SMALL_PRECINCTS = b"\xff\x52\0\x12\1\0\0\1\0\5\4\4\0\1" + bytes(6)


@pytest.mark.parametrize("in_tile", [False, True])
@pytest.mark.parametrize("segment", [SMALL_BLOCKS, SMALL_BLOCKS_OF_ONE, SMALL_PRECINCTS, b"\xff\x70\0\x04ab"])
def test_jpeg_2000_of_many_parts_is_refused(segment: bytes, in_tile: bool) -> None:
    """OpenJPEG would take a record of more than 100 bytes for each, or search the unknown segment for others."""
    with pytest.raises(UnsupportedImageError, match="Export it as a JPEG"):
        decode(with_segment(segment, in_tile=in_tile))


def test_jpeg_2000_with_a_comment_is_read() -> None:
    assert np.array_equal(decode(with_segment(b"\xff\x64\0\x06\0\1ab", in_tile=True)).rgb, FLAT)


def test_jpeg_2000_of_many_tiles_is_refused() -> None:
    coded = jpeg2000(FLAT[:256, :256], tile_size=(3, 3))
    with pytest.raises(UnsupportedImageError, match="Export it as a JPEG"):
        decode(dicom(FLAT[:256, :256], "YBR_RCT", JPEG_2000, coded=[coded]))


def test_jpeg_2000_has_a_limit_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codestreams, "_MOST_MEMORY", 4 * PICTURE.size - 1)
    with pytest.raises(ImageTooLargeError, match="Send a JPEG or a smaller copy"):
        decode(FILES["JPEG 2000"])


#: values where a number belongs, and a word where another belongs
MISPLACED = {
    "a name for a number": with_elements(b"\x28\0\x08\0LO\x14\0" + SECRET.ljust(20).encode()),
    "a name for whole numbers": with_elements(b"\x28\0\x08\0IS\x14\0" + SECRET.ljust(20).encode()),
    "a name for decimals": with_elements(b"\x28\0\x30\0DS\x14\0" + SECRET.ljust(20).encode()),
    "a name for an address": with_elements(b"\x08\0\x16\0UI\x14\0" + SECRET.ljust(20).encode()),
    "a name for characters": with_elements(b"\x08\0\x05\0CS\x14\0" + SECRET.ljust(20).encode()),
    "a name for a kind of value": FILES["explicit"].replace(_ROWS, _ROWS[:4] + b"^\xff"),
    "a name for a colour": FILES["explicit"].replace(b"CS\x04\0RGB ", b"CS\x14\0" + SECRET.ljust(20).encode()),
}


@pytest.mark.parametrize("name", [*MISPLACED, *FILES])
def test_errors_do_not_quote_the_file(name: str) -> None:
    data = MISPLACED.get(name) or FILES[name][: len(FILES[name]) // 2]
    assert SECRET.encode() in data or name == "deflated"
    raised: BaseException | None = None
    try:
        decode(data)
    except ImageError as error:
        raised = error
    assert raised is None or SECRET not in "".join(traceback.format_exception(raised))
    assert raised is None or raised.__cause__ is None


def test_nothing_of_the_file_is_logged_or_warned_of() -> None:
    """In a process whose log has every level, and that shows every warning that is not switched off."""
    program = (
        "import base64, logging, sys; logging.basicConfig(level=logging.DEBUG)\n"
        "from ml.errors import ImageError; from ml.imaging.decode import decode\n"
        "for line in sys.stdin:\n"
        "    try: decode(base64.b64decode(line))\n"
        "    except ImageError as error: print(error, error.__cause__)\n"
    )
    files = [*MISPLACED.values(), *FILES.values(), *(data[: len(data) // 2] for data in FILES.values())]
    lines = b"\n".join(map(base64.b64encode, files))
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", program], input=lines, capture_output=True, check=True
    )
    written = done.stdout + done.stderr
    assert b"Send the original file" in written
    assert b"Privat" not in written
    assert b"pydicom" not in written


def test_the_photo_holds_nothing_of_the_patient() -> None:
    for data in FILES.values():
        assert b"Privat" not in pickle.dumps(decode(data))
