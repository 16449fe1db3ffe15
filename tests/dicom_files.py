"""DICOM files made by code: one picture in any transfer syntax, photometric interpretation and depth."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.pixels.encoders import RLELosslessEncoder

from ml.values import RGB

IMPLICIT, EXPLICIT, BIG_ENDIAN = uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian
DEFLATED, RLE, JPEG = uid.DeflatedExplicitVRLittleEndian, uid.RLELossless, uid.JPEGBaseline8Bit
JPEG_2000, JPEG_2000_LOSSLESS = uid.JPEG2000, uid.JPEG2000Lossless
PHOTOGRAPHIC, DERMOSCOPIC = uid.VLPhotographicImageStorage, uid.DermoscopicPhotographyImageStorage
SECONDARY_CAPTURE = uid.SecondaryCaptureImageStorage
#: stands in every element about the patient
SECRET = "Privat^Ottilie 5e1f"


def dicom(
    samples: NDArray[Any],
    photometric: str = "RGB",
    syntax: str = EXPLICIT,
    *,
    kind: str = PHOTOGRAPHIC,
    coded: Sequence[bytes] = (),
    by_plane: bool = False,
    further: NDArray[Any] | None = None,
    fragments: int = 1,
    offsets: bool = True,
    others: Dataset | None = None,
    **elements: Any,
) -> bytes:
    """A DICOM file of ``samples`` (height, width) or (height, width, 3), of 8 or 16 bits.

    ``coded``: the frames in the coding of ``syntax``. Without them, RLE is coded here. ``further``: the second frame,
    not coded. ``fragments``: of each coded frame. ``offsets``: whether coded frames have a table of offsets.
    ``elements``: further ones by keyword, or other values of those that are set here. ``others``: those without a
    keyword.
    """
    data_set = Dataset()
    data_set.SOPClassUID = kind
    data_set.SOPInstanceUID = "1.2.3.4"
    data_set.PatientName = data_set.InstitutionName = data_set.StudyDescription = SECRET
    data_set.PatientID, data_set.PatientBirthDate = SECRET[-4:], "19870605"
    data_set.Rows, data_set.Columns = samples.shape[:2]
    data_set.SamplesPerPixel = 3 if samples.ndim == 3 else 1
    data_set.PhotometricInterpretation = photometric
    if samples.ndim == 3:
        data_set.PlanarConfiguration = int(by_plane)
    bits = 8 * samples.dtype.itemsize
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = bits, bits, bits - 1
    data_set.PixelRepresentation = int(samples.dtype.kind == "i")
    for keyword, value in elements.items():
        setattr(data_set, keyword, value)
    data_set.update(others or {})
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = uid.UID(syntax)
    if syntax == RLE:
        coded = coded or [rle(samples)]
    if coded:
        data_set.PixelData = encapsulate(list(coded), fragments_per_frame=fragments, has_bot=offsets)
    else:
        order = ">" if syntax == BIG_ENDIAN else "<"
        stored = np.moveaxis(samples, 2, 0) if by_plane else samples
        frame = np.ascontiguousarray(stored).astype(stored.dtype.newbyteorder(order)).tobytes()
        if photometric == "YBR_FULL_422":
            frame = _halved_chroma(samples)
        frame += b"" if further is None else further.tobytes()
        data_set.PixelData = frame + b"\0" * (len(frame) % 2)
    data_set["PixelData"].VR = "OB" if bits == 8 else "OW"
    file = io.BytesIO()
    dcmwrite(file, data_set, enforce_file_format=True)
    return file.getvalue()


def rle(samples: NDArray[Any]) -> bytes:
    """The samples (height, width) or (height, width, 3) in RLE."""
    bits = 8 * samples.dtype.itemsize
    of_pixel = samples.shape[2] if samples.ndim == 3 else 1
    return RLELosslessEncoder.encode(
        np.ascontiguousarray(samples),
        rows=samples.shape[0],
        columns=samples.shape[1],
        samples_per_pixel=of_pixel,
        bits_allocated=bits,
        bits_stored=bits,
        pixel_representation=int(samples.dtype.kind == "i"),
        planar_configuration=0,
        photometric_interpretation="RGB" if of_pixel == 3 else "MONOCHROME2",
        number_of_frames=1,
    )


def _halved_chroma(samples: NDArray[Any]) -> bytes:
    """Y, Y, Cb, Cr of each two pixels (DICOM PS3.3, C.7.6.3.1.2)."""
    pairs = samples.reshape(samples.shape[0], -1, 2, 3)
    luma, chroma = pairs[..., 0], pairs[:, :, 0, 1:]
    return np.concatenate([luma, chroma], axis=2).tobytes()


def in_ycbcr(rgb: RGB) -> RGB:
    """YBR_FULL (DICOM PS3.3, C.7.6.3.1.2)."""
    to_ybr = np.array([[0.2990, 0.5870, 0.1140], [-0.1687, -0.3313, 0.5000], [0.5000, -0.4187, -0.0813]])
    return np.rint(np.clip(rgb @ to_ybr.T + [0, 128, 128], 0, 255)).astype(np.uint8)


def jpeg(rgb: NDArray[np.uint8], *, coded_as_rgb: bool = False, marked: bool = True, **options: Any) -> bytes:
    """A JPEG. ``coded_as_rgb``: without conversion to YCbCr. ``marked``: with the segment that says which it is."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", **{"quality": 95, "keep_rgb": coded_as_rgb, "subsampling": 0} | options)
    data = file.getvalue()
    return data if marked else _without_markers(data)


def _without_markers(data: bytes) -> bytes:
    """The JPEG without the segments JFIF and Adobe, and with components that are numbered."""
    kept, at = [data[:2]], 2
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] not in (0xE0, 0xEE):
            kept.append(data[at:end])
        at = end
    whole = b"".join([*kept, data[at:]])
    return whole.replace(b"R\x11\0G\x11\0B\x11\0", b"\1\x11\0\2\x11\0\3\x11\0").replace(b"R\0G\0B\0", b"\1\0\2\0\3\0")


def jpeg2000(pixels: NDArray[Any], **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG2000", **{"no_jp2": True} | options)
    return file.getvalue()
