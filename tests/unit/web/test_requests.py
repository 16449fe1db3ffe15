from __future__ import annotations

import base64
import io
import json
import tempfile
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import stream_encode_multipart

from ml.values import Patient
from web.errors import (
    BadBase64Error,
    BadFieldError,
    BadJsonError,
    BadMultipartError,
    NoImageError,
    RequestError,
    TooManyImagesError,
    UnsupportedBodyError,
)
from web.requests import AnalyzeRequest, CapabilityRequest, parse

JPEG = b"\xff\xd8\xff\xe0 a photo"
PNG = b"\x89PNG\r\n another"
BASE64 = base64.b64encode(JPEG).decode()


def read(body: bytes, content_type: str = "", query: Mapping[str, str] | None = None) -> AnalyzeRequest:
    found = parse(io.BytesIO(body), content_type, query or {})
    assert isinstance(found, AnalyzeRequest)
    return found


def multipart(fields: Mapping[str, object]) -> tuple[bytes, str]:
    values = {name: value if isinstance(value, list) else [value] for name, value in fields.items()}
    files = MultiDict(
        (name, FileStorage(*one) if isinstance(one, tuple) else one)
        for name, several in values.items()
        for one in several
    )
    stream, length, boundary = stream_encode_multipart(files, use_tempfile=False)
    return stream.read(length), f"multipart/form-data; boundary={boundary}"


def upload(data: bytes, name: str = "skin.jpg") -> tuple[io.BytesIO, str]:
    return io.BytesIO(data), name


@pytest.mark.parametrize("name", ["image", "file", "query_image"])
def test_multipart_under_each_name(name: str) -> None:
    assert read(*multipart({name: upload(JPEG)})).images == (JPEG,)


def test_multipart_with_three_views_and_every_field() -> None:
    body, content_type = multipart(
        {
            "image": [upload(JPEG), upload(PNG)],
            "file": upload(JPEG),
            "age": "40",
            "gender": "f",
            "body_site": "back",
            "ethnicity": "anything",
            "k": "3",
            "modality": "dermoscopic",
            "demographics": '{"age": 12}',
            "something_else": "x",
        }
    )
    found = read(body, content_type)
    assert found.images == (JPEG, PNG, JPEG)
    assert (found.patient, found.k, found.modality) == (Patient(40, "female", "trunk"), 3, "dermatoscopic")


def test_four_views_are_too_many() -> None:
    with pytest.raises(TooManyImagesError):
        read(*multipart({"image": [upload(JPEG)] * 4}))


def test_the_empty_part_of_an_unused_file_input_is_no_photo() -> None:
    boundary = "xyz"
    empty = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename=""\r\n\r\n\r\n--{boundary}--\r\n'
    with pytest.raises(NoImageError):
        read(empty.encode(), f"multipart/form-data; boundary={boundary}")


def test_parts_without_a_name_count_if_no_other_holds_a_photo() -> None:
    nameless = b'--cut\r\nContent-Disposition: form-data; filename="a.jpg"\r\n\r\n' + PNG + b"\r\n"
    no_file = b"--cut\r\nContent-Disposition: form-data\r\n\r\nwords\r\n"
    photo = b'--cut\r\nContent-Disposition: form-data; name="image"; filename="b.jpg"\r\n\r\n' + JPEG + b"\r\n"
    kind = "multipart/form-data; boundary=cut"
    assert read(nameless + no_file + photo + b"--cut--\r\n", kind).images == (JPEG,)
    assert read(nameless + no_file + b"--cut--\r\n", kind).images == (PNG,)
    with pytest.raises(NoImageError):
        read(no_file + b"--cut--\r\n", kind)


def test_an_upload_without_bytes_is_kept_for_the_decoder_to_refuse() -> None:
    assert read(*multipart({"image": upload(b"")})).images == (b"",)


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data", ""])
def test_multipart_bytes_are_recognised_whatever_their_type_says(content_type: str) -> None:
    body, _ = multipart({"image": upload(JPEG), "k": "2"})
    found = read(body, content_type)
    assert (found.images, found.k) == ((JPEG,), 2)


@pytest.mark.parametrize("end", [-2, -20, 30])
def test_a_multipart_body_that_is_cut_short_is_refused(end: int) -> None:
    body, content_type = multipart({"image": upload(JPEG)})
    with pytest.raises((BadMultipartError, NoImageError)):
        read(body[:end].removesuffix(b"--\r\n").removesuffix(b"--"), content_type)


def test_a_multipart_body_without_boundary_is_refused() -> None:
    with pytest.raises(BadMultipartError):
        read(b"no boundary here", "multipart/form-data")


def test_a_multipart_body_of_a_thousand_parts_is_refused() -> None:
    with pytest.raises(BadMultipartError):
        read(*multipart({f"f{n}": "x" for n in range(1000)}))


def test_large_uploads_are_never_written_to_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file was opened")

    body, content_type = multipart({"image": upload(JPEG * 300_000)})
    for name in ("TemporaryFile", "SpooledTemporaryFile", "NamedTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    monkeypatch.setattr("werkzeug.formparser.SpooledTemporaryFile", refuse)
    assert len(read(body, content_type).images[0]) == len(JPEG) * 300_000


@pytest.mark.parametrize(
    "value",
    [
        {"image": BASE64},
        {"image_data": BASE64},
        {"image": f"data:image/jpeg;base64,{BASE64}"},
        {"image_data": BASE64, "analysis_type": "full", "unknown": {"a": []}},
        {"image": [BASE64]},
        {"images": [BASE64]},
    ],
)
def test_json_forms(value: dict[str, object]) -> None:
    assert read(json.dumps(value).encode(), "application/json").images == (JPEG,)


def test_json_with_several_views_and_fields() -> None:
    value = {
        "images": [BASE64, BASE64],
        "user_demographics": {"age": 55, "sex": "male"},
        "user_parameters": {"body_site": "face"},
        "k": 4,
    }
    found = read(json.dumps(value).encode(), "application/json; charset=utf-8")
    assert found.images == (JPEG, JPEG)
    assert (found.patient, found.k) == (Patient(55, "male", "head-or-neck"), 4)


def test_json_is_recognised_whatever_its_type_says() -> None:
    body = json.dumps({"image": BASE64}).encode()
    assert read(body, "application/x-www-form-urlencoded").images == (JPEG,)
    assert read(b"\n " + body).images == (JPEG,)


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"{'a': 1}", b"\xff\xfe", b"[" * 100_000, b"{}x"])
def test_bad_json_is_refused(body: bytes) -> None:
    with pytest.raises(BadJsonError):
        read(body, "application/json")


@pytest.mark.parametrize("value", [{}, {"image": None}, {"image": ""}, {"k": 3}, {"images": []}])
def test_json_without_a_photo_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(NoImageError):
        read(json.dumps(value).encode(), "application/json")


@pytest.mark.parametrize("value", [5, {"url": "x"}, [5], True])
def test_an_image_that_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(BadFieldError):
        read(json.dumps({"image": value}).encode(), "application/json")


def test_bad_base64_is_refused() -> None:
    with pytest.raises(BadBase64Error):
        read(b'{"image": "not base64!"}', "application/json")


@pytest.mark.parametrize("content_type", ["image/jpeg", "image/anything", "application/octet-stream"])
def test_a_raw_body_takes_its_fields_from_the_address(content_type: str) -> None:
    found = read(JPEG, content_type, {"age": "30", "k": "2"})
    assert (found.images, found.patient.age, found.k) == ((JPEG,), 30, 2)


def test_a_raw_body_is_never_taken_for_something_else() -> None:
    for body in (b"{}", b"--x\r\n", b"{" + PNG):
        assert read(body, "image/jpeg").images == (body,)


def test_junk_before_a_jpeg_is_dropped_in_every_form() -> None:
    junk = b"u" * 15 + JPEG
    text = base64.b64encode(junk).decode()
    assert read(junk, "image/jpeg").images == (JPEG,)
    assert read(*multipart({"image": upload(junk)})).images == (JPEG,)
    assert read(json.dumps({"image": text}).encode(), "application/json").images == (JPEG,)


@pytest.mark.parametrize("content_type", ["application/json", "", "application/x-www-form-urlencoded"])
def test_the_capability_test(content_type: str) -> None:
    found = parse(io.BytesIO(b'{"test": "ml_capability"}'), content_type, {})
    assert isinstance(found, CapabilityRequest)


def test_an_unknown_test_is_refused() -> None:
    with pytest.raises(BadFieldError, match="ml_capability"):
        read(b'{"test": "other"}', "application/json")


def test_no_body_at_all() -> None:
    with pytest.raises(NoImageError):
        read(b"", "application/json")


@pytest.mark.parametrize("content_type", ["text/html", "application/xml", "", "application/x-www-form-urlencoded"])
def test_other_kinds_of_body_are_refused(content_type: str) -> None:
    with pytest.raises(UnsupportedBodyError):
        read(b"<html>", content_type)


@given(
    st.binary(max_size=400),
    st.sampled_from(
        ["", "application/json", "image/png", "multipart/form-data; boundary=x", "multipart/form-data", "a/b; c=\xff"]
    ),
)
def test_any_bytes_are_read_or_refused_with_a_reason(body: bytes, content_type: str) -> None:
    try:
        found = read(body, content_type)
    except RequestError as error:
        message = error.message
    else:
        message = None
        assert found.images
    assert message != ""
