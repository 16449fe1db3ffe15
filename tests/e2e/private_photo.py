"""A photo whose every part can be found again: pixels, bytes, metadata, name, digests, and the face on it."""

from __future__ import annotations

import base64
import hashlib
import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from skimage import data

from ml.imaging.decode import decode
from tests.dicom_files import DERMOSCOPIC, JPEG, dicom

OWNER = "Ottilie Privat 5e1f"
NAME = "ottilie-gesicht-9c41.jpg"
COMMENT = "hinter dem Haus, 4a77"
#: in a DICOM file: the patient's name and number, the institution, a day, the file's own number, and a remark
DICOM_TEXTS = (
    "Verborgen^Leokadia",
    "PID-77f3-2210",
    "Praxis am Geheimplatz",
    "19530429",
    "1.2.826.0.1.99.53042977",
    "Leberfleck links, 4b1e",
)
#: 46° 56′ 53.24″ N, 7° 26′ 50.91″ E
_LATITUDE, _LONGITUDE = (46.0, 56.0, 53.24), (7.0, 26.0, 50.91)
AGE = "37.253847"
_WINDOW = 24


@dataclass(frozen=True)
class PrivatePhoto:
    """An upload, the same in a DICOM file, and what must be found nowhere: ``needles``, by what they are."""

    upload: bytes
    dicom: bytes
    needles: Mapping[str, tuple[bytes, ...]]

    def found_in(self, haystack: bytes) -> set[str]:
        """Names of the needles that stand in ``haystack``."""
        return {name for name, texts in self.needles.items() if any(text in haystack for text in texts)}


def private_photo(picture: Image.Image | None = None) -> PrivatePhoto:
    """A portrait (or ``picture``) as a phone would send it."""
    buffer = io.BytesIO()
    (picture or portrait()).save(buffer, "JPEG", quality=90, exif=_exif(), comment=COMMENT.encode())
    upload = buffer.getvalue()
    pixels = decode(upload).rgb
    marked = private_dicom(upload, pixels)
    needles = {
        "name": (NAME.encode(), NAME.removesuffix(".jpg").encode()),
        "EXIF owner": _spellings(OWNER.encode()),
        "comment": _spellings(COMMENT.encode()),
        "GPS": tuple(_positions()),
        "age": (AGE.encode(),),
        "bytes": tuple(_windows(upload)),
        "pixels": tuple(_pixel_windows(pixels)),
        "digest": tuple(_digests(upload, marked, pixels.tobytes())),
        "DICOM": tuple(spelling for text in DICOM_TEXTS for spelling in _spellings(text.encode()) if len(spelling) > 7),
    }
    return PrivatePhoto(upload, marked, needles)


def private_dicom(coded: bytes, pixels: np.ndarray) -> bytes:
    """The JPEG ``coded`` of ``pixels`` in a DICOM file with DICOM_TEXTS in elements of every kind."""
    name, identity, place, day, instance, note = DICOM_TEXTS
    within = Dataset()
    within.PatientName, within.PatientID, within.StudyDate, within.TextValue = name, identity, day, note
    private = Dataset()
    private.add_new(0x00090010, "LO", place)
    private.add_new(0x00091001, "UN", note.encode())
    elements = {
        **dict.fromkeys(("PatientName", "OtherPatientNames", "ReferringPhysicianName", "OperatorsName"), name),
        **dict.fromkeys(("PatientID", "AccessionNumber", "DeviceSerialNumber", "StudyID"), identity),
        **dict.fromkeys(("InstitutionName", "InstitutionAddress", "Manufacturer"), place),
        **dict.fromkeys(("PatientBirthDate", "StudyDate", "ContentDate", "AcquisitionDate"), day),
        **dict.fromkeys(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"), instance),
        **dict.fromkeys(("PatientComments", "ImageComments", "StudyDescription", "AdditionalPatientHistory"), note),
        "ReferencedImageSequence": [within],
        "AcquisitionContextSequence": [within],
    }
    file = dicom(pixels, "YBR_FULL_422", JPEG, coded=[coded], kind=DERMOSCOPIC, others=private, **elements)
    # A name in place of the character set: pydicom would warn, and quote it.
    at = 144 + int.from_bytes(file[140:144], "little")
    return file[:at] + b"\x08\0\x05\0CS\x12\0" + name.encode() + file[at:]


def portrait() -> Image.Image:
    """A face, with noise that no other picture has."""
    face = data.astronaut()[:400, 50:450].astype(float)
    noise = np.random.default_rng(20).normal(0, 3, face.shape)
    return Image.fromarray(np.clip(face + noise, 0, 255).astype(np.uint8))


def face_geometry(answer: Mapping[str, object]) -> tuple[bytes, ...]:
    """The numbers of an answer's zones, as text, as far as they are long enough to be no one else's."""
    zones = answer["skin"]["zones"]  # type: ignore[index]
    numbers = {f"{value:.10g}" for zone in zones for point in zone["polygon"] for value in point}
    return tuple(number[:9].encode() for number in numbers if len(number) >= 9)


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x010F], exif[0x013B], exif[0x0132] = "Camera", OWNER, "1987:06:05 04:03:02"
    exif.get_ifd(0x8769)[0xA430] = OWNER
    place = exif.get_ifd(0x8825)
    place[1], place[2], place[3], place[4] = "N", _LATITUDE, "E", _LONGITUDE
    return exif.tobytes()


def _positions() -> Iterator[bytes]:
    for degrees, minutes, seconds in (_LATITUDE, _LONGITUDE):
        yield f"{degrees + minutes / 60 + seconds / 3600:.4f}".encode()
        yield f"{minutes}, {seconds}".encode()
        yield f"{seconds:.2f}".encode() + b")"
        for order in "<>":
            yield struct.pack(f"{order}4I", int(degrees), 1, int(minutes), 1)


def _spellings(text: bytes) -> tuple[bytes, ...]:
    return text, text.hex().encode(), text.decode().encode("utf-16-le"), *_base64(text)


def _windows(upload: bytes) -> Iterator[bytes]:
    """Pieces of a file's bytes, plain and in every usual spelling. Not its first ones: other files have those too."""
    spellings = [upload, upload.hex().encode(), upload.hex().upper().encode(), repr(upload)[2:-1].encode()]
    spellings += [base64.b64encode(upload[shift:]) for shift in range(3)]
    for spelling in spellings:
        for start in range(_WINDOW * 4, len(spelling) - 4 * _WINDOW, len(spelling) // 150):
            yield spelling[start : start + 2 * _WINDOW]


def _pixel_windows(pixels: np.ndarray) -> Iterator[bytes]:
    for row in pixels[:: max(1, len(pixels) // 32)]:
        piece = row[100 : 100 + _WINDOW]
        yield piece.tobytes()
        yield np.ascontiguousarray(piece[:, ::-1]).tobytes()
        for separator in (", ", ",", " "):
            yield separator.join(map(str, piece.reshape(-1)[:_WINDOW])).encode()


def _digests(*contents: bytes) -> Iterator[bytes]:
    for content in contents:
        yield f"{zlib.crc32(content):08x}".encode()
        for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "blake2s", "sha3_256"):
            digest = hashlib.new(name, content, usedforsecurity=False).digest()
            yield digest
            yield digest.hex()[:24].encode()
            yield digest.hex()[:24].upper().encode()
            yield base64.b64encode(digest)[:24]
            yield base64.urlsafe_b64encode(digest)[:24]


def _base64(text: bytes) -> Iterator[bytes]:
    """What stands in the base64 of anything that holds ``text``, at each of the three shifts."""
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + text)
        yield encoded[4 if shift else 0 : len(text) // 3 * 4 - 4]
