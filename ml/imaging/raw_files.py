"""Raw files of cameras: what Pillow opens of them is a thumbnail, or nothing, but never the photo."""

from __future__ import annotations

from PIL import Image

#: leading bytes of raw files that are no plain TIFF: CR2, ORF, RW2, RAF, X3F, MRW
_STARTS = (b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM")
_CR2 = b"CR\x02"
_CR3 = b"ftypcrx "
_DNG_VERSION, _SUBFILE_TYPE, _PHOTOMETRIC, _SUB_IFDS, _MAKE = 50706, 254, 262, 330, 271
_REDUCED = 1
#: colour filter array and linear raw
_SENSOR = (32803, 34892)


def starts_like_raw(data: bytes) -> bool:
    """Whether the signature is that of a raw file."""
    return data.startswith(_STARTS) or data[8:11] == _CR2 or data[4:12] == _CR3


def is_raw_tiff(image: Image.Image) -> bool:
    """Whether the first directory of a TIFF says that the file holds a sensor's data, or a camera's thumbnail."""
    tags = getattr(image, "tag_v2", None)
    if image.format != "TIFF" or tags is None:
        return False
    if _DNG_VERSION in tags or tags.get(_PHOTOMETRIC) in _SENSOR:
        return True
    # NEF, ARW, PEF and SRW: a camera's reduced image comes first, and the sensor's data are in a directory below.
    return bool(tags.get(_SUBFILE_TYPE, 0) & _REDUCED) and (_SUB_IFDS in tags or _MAKE in tags)
