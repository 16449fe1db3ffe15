"""DICOM files in requests: recognised in every form, and what they state counts unless the request states otherwise."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
import pytest
from flask.testing import FlaskClient

from ml.analysis.comparison import PairRequest
from ml.analysis.pipeline import CaseRequest
from tests.dicom_files import DERMOSCOPIC, PHOTOGRAPHIC, SECONDARY_CAPTURE, dicom
from tests.unit.ml.photo_files import quadrants, save
from web.mock import MockAnalyzer
from web.openapi import IMAGE_TYPES
from web.requests import AnalyzeRequest, parse

ANALYZE = "/api/analyze/skin"
PICTURE = quadrants()
FILE = dicom(PICTURE, kind=DERMOSCOPIC, PixelSpacing=[0.05, 0.05])
TEXT = base64.b64encode(FILE).decode()
FORM = "application/x-www-form-urlencoded"
BB = "multipart/form-data; boundary=BB"


def part(content: bytes | str, *headers: str) -> bytes:
    head = "\r\n".join(["--BB", *headers, "", ""]).encode()
    return head + (content if isinstance(content, bytes) else content.encode()) + b"\r\n--BB--\r\n"


BODIES: dict[str, tuple[bytes | str, str]] = {
    "raw": (FILE, "application/dicom"),
    "raw, any bytes": (FILE, "application/octet-stream"),
    "raw, no type": (FILE, ""),
    "raw, without a preamble": (FILE[132:], ""),
    "a file": (part(FILE, 'Content-Disposition: form-data; name="image"; filename="a.dcm"'), BB),
    "a part of its type": (
        part(FILE, 'Content-Disposition: form-data; name="x"', "Content-Type: application/dicom"),
        BB,
    ),
    "as DICOMweb stores it": (part(FILE, "Content-Type: application/dicom"), 'multipart/related; boundary="BB"'),
    "base64 in a part": (part(TEXT, 'Content-Disposition: form-data; name="image"'), BB),
    "base64": (json.dumps({"image": TEXT}), "application/json"),
    "base64 under another name": (json.dumps({"instance": TEXT}), "application/json"),
    "base64 alone": (json.dumps(TEXT), "application/json"),
    "base64 in lines": (base64.encodebytes(FILE), "text/plain"),
    "base64 of the URL alphabet": (base64.urlsafe_b64encode(FILE), ""),
    "a data URL": (json.dumps({"image": f"data:application/dicom;base64,{TEXT}"}), "application/json"),
    "a data URL under another name": (json.dumps({"x": f"data:application/dicom;base64,{TEXT}"}), "application/json"),
    "a data URL of any bytes": (json.dumps({"x": f"data:application/octet-stream;base64,{TEXT}"}), "application/json"),
    "a form": (urlencode({"image": TEXT}), FORM),
    "percent codes": (json.dumps({"image": quote(TEXT, safe="")}), "application/json"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_file_is_recognised_in_every_form(name: str) -> None:
    body, content_type = BODIES[name]
    found = parse(io.BytesIO(body if isinstance(body, bytes) else body.encode()), content_type, {})
    assert isinstance(found, AnalyzeRequest)
    assert found.images == (FILE[132:] if "preamble" in name else FILE,)


def test_a_jpeg_in_the_preamble_is_not_cut_out() -> None:
    body = b"\0" * 40 + b"\xff\xd8\xff\xe0" + FILE[44:]
    found = parse(io.BytesIO(body), "", {})
    assert isinstance(found, AnalyzeRequest)
    assert found.images == (body,)


def test_bytes_that_are_no_dicom_file_are_passed_to_the_decoder() -> None:
    """It says what may be sent."""
    found = parse(io.BytesIO(b"no file"), "application/dicom", {})
    assert isinstance(found, AnalyzeRequest)
    assert found.images == (b"no file",)


def test_its_media_type_is_documented() -> None:
    assert "application/dicom" in IMAGE_TYPES


@pytest.fixture
def seen() -> list[CaseRequest]:
    return []


@pytest.fixture
def client(
    seen: list[CaseRequest], make_client: Callable[..., FlaskClient], fake_loader: Callable[..., Any]
) -> FlaskClient:
    canned = MockAnalyzer().analyze
    return make_client(fake_loader(analyze=lambda case, deadline: seen.append(case) or canned(case, deadline)))


def test_a_file_is_analysed(client: FlaskClient) -> None:
    response = client.post(ANALYZE, data=FILE, content_type="application/dicom")
    assert response.status_code == 200
    image = response.get_json()["image"]
    assert (image["format"], image["width"], image["height"]) == ("DICOM", 96, 64)


@pytest.mark.parametrize(
    ("query", "modality", "pixels_per_mm"),
    [
        ({}, "dermatoscopic", 20),
        ({"modality": "lesion"}, "lesion_close_up", 20),
        ({"pixels_per_mm": "33"}, "dermatoscopic", 33),
    ],
)
def test_the_request_has_priority_over_the_file(
    query: dict[str, str], modality: str, pixels_per_mm: float, client: FlaskClient, seen: list[CaseRequest]
) -> None:
    client.post(ANALYZE, data=FILE, content_type="application/dicom", query_string=query)
    (case,) = seen
    assert (case.modality, case.pixels_per_mm) == (modality, pytest.approx(pixels_per_mm))


def test_the_first_photo_counts(client: FlaskClient, seen: list[CaseRequest]) -> None:
    other = save(PICTURE, "PNG")
    for photos in ((FILE, other), (other, FILE)):
        client.post(ANALYZE, data={"image": [(io.BytesIO(data), "photo") for data in photos]})
    assert [case.modality for case in seen] == ["dermatoscopic", None]
    assert [case.pixels_per_mm for case in seen] == [pytest.approx(20), None]


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (dicom(PICTURE, kind="1.2.840.10008.5.1.4.1.1.2"), 415, "unsupported_image"),
        (dicom(PICTURE, BitsAllocated=32, BitsStored=32, HighBit=31), 415, "unsupported_image"),
        (FILE[: len(FILE) // 2], 422, "damaged_image"),
        (dicom(PICTURE, Rows=60000, Columns=60000), 413, "too_many_pixels"),
        (dicom(PICTURE[:16, :16]), 422, "image_too_small"),
    ],
)
def test_refused_files(data: bytes, status: int, code: str, client: FlaskClient) -> None:
    response = client.post(ANALYZE, data=data, content_type="application/dicom")
    assert (response.status_code, response.get_json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("kinds", "modality"),
    [((DERMOSCOPIC, DERMOSCOPIC), "dermatoscopic"), ((DERMOSCOPIC, PHOTOGRAPHIC), None)],
)
def test_a_comparison_takes_the_kind_that_both_files_state(
    kinds: tuple[str, str], modality: str | None, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from web.mock import MockComparer

    pairs: list[PairRequest] = []
    compare = MockComparer.compare
    monkeypatch.setattr(
        MockComparer, "compare", lambda self, pair, deadline: pairs.append(pair) or compare(self, pair, deadline)
    )
    before, after = (io.BytesIO(dicom(PICTURE, kind=kind)) for kind in kinds)
    response = client.post("/api/compare/skin", data={"before": (before, "a.dcm"), "after": (after, "b.dcm")})
    assert response.status_code == 200, response.text
    assert [pair.modality for pair in pairs] == [modality]


def test_secondary_captures_state_no_kind(client: FlaskClient, seen: list[CaseRequest]) -> None:
    client.post(ANALYZE, data=dicom(PICTURE.astype(np.uint8), kind=SECONDARY_CAPTURE), content_type="application/dicom")
    assert seen[0].modality is None
