"""schemathesis against the running service: no crash, no undocumented status, nothing but what the document promises.

``make fuzz-api`` asks ten times as often as the suite does.
"""

from __future__ import annotations

import base64
import os

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.checks import CheckContext
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.e2e.server import Server, skin_photo
from web.openapi.fields import IMAGE_TYPES

EXAMPLES = int(os.environ.get("DERMSERVE_API_FUZZ_EXAMPLES", "100"))
_KINDS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/gif": "GIF", "image/bmp": "BMP"}
_PHOTOS = {kind: skin_photo(64, 48, seed=3, kind=kind) for kind in _KINDS.values()}


def _photo(kind: str) -> bytes:
    return _PHOTOS[kind]


def _spoilt(kind: str, place: int, byte: int, keep: int) -> bytes:
    """A photo with one byte changed, cut short."""
    photo = _PHOTOS[kind]
    return (photo[:place] + bytes([byte]) + photo[place + 1 :])[:keep]


#: whole photos, spoilt ones, and no photos at all
_kinds = st.sampled_from(sorted(_PHOTOS))
_BYTES = st.one_of(
    _kinds.map(_photo),
    st.builds(_spoilt, _kinds, st.integers(0, 600), st.integers(0, 255), st.integers(1, 20_000)),
    st.binary(max_size=300),
)
schemathesis.openapi.format("binary", _BYTES)
schemathesis.openapi.format("byte", _BYTES.map(lambda data: base64.b64encode(data).decode()))
for _media_type in IMAGE_TYPES:
    schemathesis.openapi.media_type(_media_type, _BYTES)


def no_failure_of_its_own(ctx: CheckContext, response: schemathesis.Response, case: schemathesis.Case) -> None:
    """No 5xx, but for the one that a client asks for by giving less time than an analysis takes."""
    hurried = response.status_code == 504 and "X-Request-Timeout" in (case.headers or {})
    assert response.status_code < 500 or hurried, f"{response.status_code}: {response.text[:300]}"


CHECKS = [
    no_failure_of_its_own,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]


@pytest.fixture(scope="session")
def described(server: Server) -> schemathesis.Schema:
    return schemathesis.openapi.from_url(f"{server.url}/api/openapi.json")


api = schemathesis.pytest.from_fixture("described")


@api.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES <= 100, suppress_health_check=list(HealthCheck))
def test_the_service_keeps_to_its_document(case: schemathesis.Case) -> None:
    case.call_and_validate(checks=CHECKS, timeout=120)
