"""DICOM files over a real socket, each of their kinds once: analysed like the photo in them, or refused with advice."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.dicom_files import (
    BIG_ENDIAN,
    DEFLATED,
    DERMOSCOPIC,
    EXPLICIT,
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
from tests.e2e.server import Server, skin_photo

PHOTO = np.asarray(Image.open(io.BytesIO(skin_photo())).convert("RGB"))
RAW = {"Content-Type": "application/dicom"}
KINDS = {
    "implicit": dicom(PHOTO, syntax=IMPLICIT),
    "explicit": dicom(PHOTO, syntax=EXPLICIT, by_plane=True),
    "big endian": dicom(PHOTO.astype(np.uint16) * 257, syntax=BIG_ENDIAN),
    "deflated": dicom(in_ycbcr(PHOTO), "YBR_FULL", DEFLATED),
    "RLE": dicom(PHOTO, syntax=RLE),
    "JPEG": dicom(PHOTO, "YBR_FULL_422", JPEG, coded=[jpeg(PHOTO)]),
    "JPEG 2000": dicom(PHOTO, "YBR_RCT", JPEG_2000, coded=[jpeg2000(PHOTO)]),
}


@pytest.fixture(scope="module")
def of_the_photo(server: Server) -> dict[str, Any]:
    """The answer to the same photo as a PNG."""
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "PNG")
    answer: dict[str, Any] = server.post(data=file.getvalue(), headers={"Content-Type": "image/png"}).json()
    return answer


@pytest.mark.parametrize("name", KINDS)
def test_a_file_is_analysed_like_the_photo_in_it(server: Server, of_the_photo: dict[str, Any], name: str) -> None:
    response = server.post(data=KINDS[name], headers=RAW)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["image"]["format"] == "DICOM"
    assert answer["image"]["width"] == PHOTO.shape[1]
    assert answer["modality"]["label"] == of_the_photo["modality"]["label"]
    assert answer["quality"]["score"] == pytest.approx(of_the_photo["quality"]["score"], abs=5)


def test_as_an_upload_and_as_base64(server: Server) -> None:
    data = KINDS["JPEG"]
    for form in ({"files": {"image": ("a.dcm", data)}}, {"json": {"image": base64.b64encode(data).decode()}}):
        response = server.post(**form)
        assert response.status_code == 200, response.text
        assert response.json()["image"]["format"] == "DICOM"


def test_the_class_states_the_kind_of_photo(server: Server) -> None:
    data = dicom(PHOTO, "YBR_FULL_422", JPEG, coded=[jpeg(PHOTO)], kind=DERMOSCOPIC)
    assert server.post(data=data, headers=RAW).json()["modality"]["stated"] == "dermatoscopic"
    answer = server.post(data=data, headers=RAW, params={"modality": "close_up"}).json()
    assert answer["modality"]["stated"] == "close_up"


def test_the_first_of_several_frames_is_analysed_and_a_note_says_so(server: Server) -> None:
    frames = [jpeg(PHOTO), jpeg(PHOTO[::-1])]
    data = dicom(PHOTO, "YBR_FULL_422", JPEG, coded=frames, kind=SECONDARY_CAPTURE, NumberOfFrames=2)
    notes = server.post(data=data, headers=RAW).json()["notes"]
    assert "The DICOM file has 2 frames. Only the first one was analysed." in notes


@pytest.mark.parametrize(
    ("data", "status", "advice"),
    [
        (dicom(PHOTO, kind="1.2.840.10008.5.1.4.1.1.2"), 415, "Send an image of the class VL Photographic"),
        (dicom(PHOTO, syntax="1.2.840.10008.1.2.4.80", coded=[b"\xff\xd8"]), 415, "Export the image uncompressed"),
        (KINDS["explicit"][:50_000], 422, "Send the original file"),
        (dicom(PHOTO, Rows=65535, Columns=65535), 413, "Send a JPEG or a smaller copy"),
    ],
    ids=["CT", "JPEG-LS", "cut short", "too large"],
)
def test_a_file_that_is_refused(server: Server, data: bytes, status: int, advice: str) -> None:
    response = server.post(data=data, headers=RAW)
    assert response.status_code == status
    assert advice in response.json()["error"]["message"]
