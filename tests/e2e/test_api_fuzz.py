"""schemathesis against the running service: no crash, no undocumented status, nothing but what the document promises.

``make fuzz-api`` asks ten times as often as the suite does.
"""

from __future__ import annotations

import base64
import os
import sys
from collections import Counter, defaultdict
from itertools import count

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.checks import CheckContext
from schemathesis.generation.meta import TestPhase
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.e2e.server import ANALYZE, Server, skin_photo

EXAMPLES = int(os.environ.get("DERMSERVE_API_FUZZ_EXAMPLES", "100"))
_TIMEOUT = "X-Request-Timeout"
#: the service's own limit, and a little more: the self-test has no deadline, and starts frameworks on a busy machine
_TIMEOUT_S = 300
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
schemathesis.openapi.media_type("application/octet-stream", _BYTES)


def no_failure_of_its_own(ctx: CheckContext, response: schemathesis.Response, case: schemathesis.Case) -> None:
    """No 5xx, but for those that a client asks for: with less time than an analysis takes, and with the self-test,
    which on a machine that is too busy for it finds that a part failed."""
    hurried = response.status_code == 504 and _TIMEOUT in (case.headers or {})
    found = response.status_code == 503 and "parts" in response.json()
    assert response.status_code < 500 or hurried or found, f"{response.status_code}: {response.text[:300]}"


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
    similar = server.post(files={"image": skin_photo()}, data={"k": "1"}).json()["similar_cases"]
    CASE_IDS.append(similar[0]["case_id"])
    return schemathesis.openapi.from_url(f"{server.url}/api/openapi.json")


api = schemathesis.pytest.from_fixture("described")


_hurried, _looked_up = count(), count()
#: the id of a case in the index of the running service
CASE_IDS: list[str] = []


def give_time(case: schemathesis.Case) -> None:
    """Nine in ten of those that leave no time for an analysis get some: else nearly all answers were 504."""
    try:
        wish = float((case.headers or {})[_TIMEOUT])
    except (KeyError, ValueError):
        return
    if 0 < wish < 60 and next(_hurried) % 10:
        case.headers[_TIMEOUT] = "60"


def ask_for_a_case(case: schemathesis.Case) -> None:
    """One in ten asks for a thumbnail that there is: nobody guesses the id of a case."""
    if case.operation.path == "/api/cases/{case_id}/{number}" and next(_looked_up) % 10 == 0:
        case.path_parameters = {"case_id": CASE_IDS[0], "number": 0}


def leave_framing_alone(case: schemathesis.Case) -> None:
    """A made-up length is no HTTP: gunicorn refuses it by itself, and where nginx stands before it, nginx does."""
    for name in [name for name in case.headers or {} if name.lower() in ("content-length", "transfer-encoding")]:
        del case.headers[name]


#: operation → statuses, of all that was asked
ANSWERS: defaultdict[str, Counter[int]] = defaultdict(Counter)


def is_asked_elsewhere(case: schemathesis.Case) -> bool:
    """Whether another operation gets such a case. Profiles read the same requests as the analysis, so the short form
    sends their listed cases, which are hundreds, to the analysis only."""
    listed = case.meta is not None and case.meta.phase.name is TestPhase.COVERAGE
    return listed and EXAMPLES <= 100 and case.operation.path.startswith(f"{ANALYZE}/")


@api.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES <= 100, suppress_health_check=list(HealthCheck))
def test_the_service_keeps_to_its_document(case: schemathesis.Case) -> None:
    if is_asked_elsewhere(case):
        return
    give_time(case)
    ask_for_a_case(case)
    leave_framing_alone(case)
    response = case.call(timeout=_TIMEOUT_S)
    ANSWERS[case.operation.label][response.status_code] += 1
    case.validate_response(response, checks=CHECKS)


def test_the_cases_reached_what_they_are_about(
    described: schemathesis.Schema, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        for label, statuses in ANSWERS.items():
            sys.stdout.write(f"\n{label}: {statuses.total()} cases, {dict(sorted(statuses.items()))}")
    paths = described.raw_schema["paths"]
    documented = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert documented - set(ANSWERS) <= {"GET /api/openapi.json"}, "which schemathesis asks for, to begin with"
    assert min(statuses[200] for statuses in ANSWERS.values()) > 0
    assert {200, 400, 415, 422} <= set(ANSWERS[f"POST {ANALYZE}"])
