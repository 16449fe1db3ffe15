"""Each way to fail: its status, its code, and the one shape of the body."""

from __future__ import annotations

import io
import logging
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image

from ml import errors as ml_errors
from web import errors
from web.errors import STATUS, failure_of, http_failure

ANALYZE = "/api/analyze/skin"
MakeClient = Callable[..., FlaskClient]


def assert_refused(response: Any, status: int, code: str) -> dict[str, Any]:
    """The status, the code and the shape; returns the details."""
    body = response.get_json()
    assert response.status_code == status, response.text
    assert response.mimetype == "application/json"
    assert set(body) == {"success", "error", "request_id"}
    assert set(body["error"]) == {"code", "message", "details"}
    assert body["success"] is False
    assert body["error"]["code"] == code
    assert body["error"]["message"].endswith((".", "…"))
    assert body["request_id"] == response.headers["X-Request-ID"]
    assert response.headers["Cache-Control"] == "no-store"
    return body["error"]["details"]


def png(width: int, height: int) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (width, height), (200, 150, 120)).save(data, "PNG")
    return data.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    data = bytearray(png(40, 40))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


CASES: dict[str, tuple[dict[str, Any], int, str]] = {
    "nothing": ({}, 400, "no_image"),
    "json without image": ({"json": {"k": 3}}, 400, "no_image"),
    "bad json": ({"data": "{", "content_type": "application/json"}, 400, "bad_json"),
    "bad base64": ({"json": {"image": "***"}}, 400, "bad_base64"),
    "empty image": ({"data": {"image": (io.BytesIO(b""), "a.jpg")}}, 400, "empty_image"),
    "empty data url": ({"json": {"image": "data:image/png;base64,"}}, 400, "empty_image"),
    "broken multipart": (
        {"data": b"--x\r\nbad", "content_type": "multipart/form-data; boundary=x"},
        400,
        "bad_multipart",
    ),
    "bad k": ({"data": png(40, 40), "content_type": "image/png", "query_string": {"k": "0"}}, 400, "bad_field"),
    "text": ({"data": "hello", "content_type": "text/plain"}, 415, "unsupported_media_type"),
    "no image": ({"data": b"<html>", "content_type": "image/jpeg"}, 415, "unsupported_image"),
    "ppm": ({"data": b"P6 40 40 255\n" + bytes(4800), "content_type": "image/jpeg"}, 415, "unsupported_image"),
    "pdf": ({"data": b"%PDF-1.7", "content_type": "image/jpeg"}, 415, "unsupported_image"),
    "cut png": ({"data": png(90, 90)[:-40], "content_type": "image/png"}, 422, "damaged_image"),
    "one pixel": ({"data": png(1, 1), "content_type": "image/png"}, 422, "image_too_small"),
    "a bomb": ({"data": png_that_claims(20_000, 20_000), "content_type": "image/png"}, 413, "too_many_pixels"),
    "age": ({"data": png(40, 40), "content_type": "image/png", "query_string": {"age": "-3"}}, 422, "impossible_value"),
    "site": (
        {"data": png(40, 40), "content_type": "image/png", "query_string": {"body_site": "moon"}},
        422,
        "impossible_value",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input(name: str, client: FlaskClient) -> None:
    arguments, status, code = CASES[name]
    data = arguments.get("data")
    if isinstance(data, dict):  # the client closes what it sends
        data = {key: (io.BytesIO(stream.getvalue()), file) for key, (stream, file) in data.items()}
        arguments = arguments | {"data": data}
    assert_refused(client.post(ANALYZE, **arguments), status, code)


def test_one_bad_view_fails_the_case_and_not_the_service(client: FlaskClient, jpeg: bytes) -> None:
    views = [(io.BytesIO(jpeg), "a.jpg"), (io.BytesIO(jpeg[:-200]), "b.jpg")]
    assert_refused(client.post(ANALYZE, data={"image": views}), 422, "damaged_image")
    assert client.post(ANALYZE, data=jpeg, content_type="image/jpeg").status_code == 200


def test_the_announced_size_is_refused_before_anything_is_read(make_client: MakeClient) -> None:
    client = make_client(max_upload_mb=1)
    environ = {"CONTENT_LENGTH": str(2**20 + 1), "wsgi.input": io.BytesIO(b"")}
    response = client.post(ANALYZE, content_type="image/jpeg", environ_overrides=environ)
    assert assert_refused(response, 413, "body_too_large") == {"max_bytes": 2**20}


def test_a_body_of_unknown_length_is_refused_when_it_grows_too_long(make_client: MakeClient) -> None:
    client = make_client(max_upload_mb=1)
    response = client.post(
        ANALYZE,
        content_type="image/jpeg",
        input_stream=io.BytesIO(bytes(2**20 + 1)),
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert_refused(response, 413, "body_too_large")


def test_fewer_pixels_may_be_allowed(make_client: MakeClient) -> None:
    client = make_client(max_pixels=2000)
    details = assert_refused(client.post(ANALYZE, data=png(50, 50), content_type="image/png"), 413, "too_many_pixels")
    assert details == {"max_pixels": 2000}


ROUTES = ["/", ANALYZE, "/health", "/health/ready", "/api/cases/x/0", "/assets/page.js"]


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH"])
@pytest.mark.parametrize("path", ROUTES)
def test_every_route_refuses_other_methods_in_one_shape(path: str, method: str, client: FlaskClient) -> None:
    response = client.open(path, method=method)
    assert_refused(response, 405, "method_not_allowed")
    assert response.headers["Allow"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path", ["/nothing", "/api/", "/api/cases/x", "/api/cases/x/y", "/api//cases", "/assets/none.js"]
)
def test_every_unknown_address_answers_in_one_shape(path: str, method: str, client: FlaskClient) -> None:
    status, code = (405, "method_not_allowed") if (method, path[:7]) == ("POST", "/assets") else (404, "not_found")
    assert_refused(client.open(path, method=method), status, code)


@pytest.mark.parametrize("path", ["/api/cases/none/0", "/api/cases/mock-1/7"])
def test_an_unknown_thumbnail(path: str, client: FlaskClient) -> None:
    assert_refused(client.get(path), 404, "no_such_thumbnail")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", ANALYZE), ("GET", "/api/cases/mock-1/0"), ("GET", "/health/ready")]
)
def test_what_needs_models_answers_503_where_they_failed(
    method: str, path: str, make_client: MakeClient, fake_loader: Any, jpeg: bytes
) -> None:
    client = make_client(fake_loader(fail_models=ml_errors.ArtifactError("model.bin is altered")), load=False)
    services = client.application.extensions["dermserve"]
    services.start()
    services._loaded.wait(30)
    code = "not_ready" if path.endswith("ready") else "unavailable"
    assert_refused(client.open(path, method=method), 503, code)


def test_an_unforeseen_error_is_logged_and_not_told(
    make_client: MakeClient, fake_loader: Any, jpeg: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the secret cause")

    client = make_client(fake_loader(analyze=fail))
    with caplog.at_level(logging.ERROR):
        response = client.post(ANALYZE, data=jpeg, content_type="image/jpeg")
    assert assert_refused(response, 500, "internal_error") == {}
    assert "secret" not in response.text
    assert "the secret cause" in caplog.text
    assert client.get("/health").status_code == 200


def test_a_model_s_failure_is_internal_too(make_client: MakeClient, fake_loader: Any, jpeg: bytes) -> None:
    def fail(*_: object) -> None:
        raise ml_errors.ModelError("the model's own words")

    response = make_client(fake_loader(analyze=fail)).post(ANALYZE, data=jpeg, content_type="image/jpeg")
    assert_refused(response, 500, "internal_error")
    assert "own words" not in response.text


@pytest.mark.parametrize("stage", ["encode", "measure"])
def test_504_names_the_stage(stage: str, make_client: MakeClient, fake_loader: Any, jpeg: bytes) -> None:
    def late(*_: object) -> None:
        raise ml_errors.DeadlineExceededError("Too late.", stage=stage)

    response = make_client(fake_loader(analyze=late)).post(ANALYZE, data=jpeg, content_type="image/jpeg")
    assert assert_refused(response, 504, "deadline_exceeded") == {"stage": stage}


def test_a_request_whose_time_is_used_up_starts_nothing(make_client: MakeClient, fake_loader: Any, jpeg: bytes) -> None:
    called = []
    client = make_client(fake_loader(analyze=lambda *_: called.append(1)))
    client.application.extensions["dermserve"].settings = client.application.extensions[
        "dermserve"
    ].settings.model_copy(update={"analysis_timeout_s": 1e-9})
    response = client.post(ANALYZE, data=jpeg, content_type="image/jpeg")
    details = assert_refused(response, 504, "deadline_exceeded")
    assert details["stage"] in {"upload", "loading"}
    assert called == []


def every_error(root: type[Exception]) -> list[type[Exception]]:
    return [root, *(kind for child in root.__subclasses__() for kind in every_error(child))]


@pytest.mark.parametrize("kind", [*every_error(errors.RequestError), *every_error(ml_errors.MLError)])
def test_every_error_of_ours_has_a_row_in_the_table(kind: type[Exception]) -> None:
    failure = failure_of(kind("Words for the caller."))
    listed = next(STATUS[base] for base in kind.__mro__ if base in STATUS)
    assert (failure.status, failure.code) == listed
    assert (failure.message == "Words for the caller.") == (failure.status < 500 or failure.status in (503, 504))


@pytest.mark.parametrize("status", [400, 404, 405, 408, 411, 414, 429, 431, 500, 501])
def test_http_s_own_failures_have_a_code_and_a_message(status: int) -> None:
    failure = http_failure(status, "Some Phrase")
    assert failure.status == status
    assert failure.code == failure.code.lower().replace(" ", "_")
    assert failure.message
