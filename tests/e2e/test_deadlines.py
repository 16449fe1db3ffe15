"""A request's own time, and clients that do not wait for their answer."""

from __future__ import annotations

import json
import re
import socket
import time
from typing import Any

import pytest

from tests.e2e.server import ANALYZE, Server, skin_photo

_STAGES = {"upload", "loading", "queue", "decode", "analysis", "measure", "faces", "encode", "search", "classify"}
_GONE = re.compile(r"^dermserve_client_gone_total (\S+)$", re.MULTILINE)


def test_a_request_s_own_time_ends_it_before_the_next_stage(server: Server) -> None:
    photo = skin_photo(3000, 2000)
    response = server.post(files={"image": photo}, headers={"X-Request-Timeout": "0.05"})
    details = response.json()["error"]["details"]
    assert response.status_code == 504
    assert details["limit_s"] == 0.05
    assert details["stage"] in _STAGES


def test_more_time_than_the_service_gives_has_no_effect(server: Server) -> None:
    response = server.post(files={"image": skin_photo()}, headers={"X-Request-Timeout": "100000"})
    assert response.status_code == 200


@pytest.mark.parametrize("wish", ["soon", "0", "-5", "nan"])
def test_a_time_that_is_none_is_refused(server: Server, wish: str) -> None:
    response = server.post(files={"image": skin_photo()}, headers={"X-Request-Timeout": wish})
    assert response.status_code == 400
    assert "X-Request-Timeout" in response.json()["error"]["message"]


def test_an_analysis_ends_when_its_client_leaves(server: Server) -> None:
    before = gone(server)
    photo = skin_photo(3000, 2000)
    host, port = server.url.removeprefix("http://").split(":")
    head = (
        f"POST {ANALYZE} HTTP/1.1\r\nHost: {host}\r\nX-Request-ID: one-that-leaves\r\n"
        f"Content-Type: image/jpeg\r\nContent-Length: {len(photo)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port))) as sock:
        sock.sendall(head.encode() + photo)
    line = outcome(server, "one-that-leaves")
    assert (line["event"], line["status"], line["code"]) == ("client_gone", 499, "client_gone")
    assert line["stage"] in _STAGES
    assert gone(server) == before + 1


def outcome(server: Server, request_id: str) -> dict[str, Any]:
    """What the log says of a request's end, once it does."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        whole, _, _ = server.log.read_text().rpartition("\n")
        for line in map(json.loads, (line for line in whole.splitlines() if request_id in line)):
            if line["logger"] == "dermserve.analysis":
                return dict(line)
    raise AssertionError(f"the log does not tell how {request_id} ended")


def gone(server: Server) -> float:
    found = _GONE.search(server.get("/metrics").text)
    assert found
    return float(found[1])
