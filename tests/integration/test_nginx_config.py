"""The proxy's configuration, tried with a real nginx: the values of .platform/nginx really take effect."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.proxy import stage_proxy
from tests.integration.nginx_fixture import ROOT, STARTUP_S, Proxy, nginx_or_skip, running_proxy
from tests.tools import free_port

MEGABYTE = 2**20


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with running_proxy(tmp_path_factory.mktemp("nginx")) as running:
        yield running


def ask(proxy: Proxy, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[Any, dict[str, Any]]:
    """(response, JSON body)"""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=STARTUP_S)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response, json.loads(response.read())
    finally:
        connection.close()


def read_raw_response(proxy: Proxy, request: bytes) -> tuple[http.client.HTTPResponse, dict[str, Any]]:
    """The answer to bytes that an HTTP client would not send."""
    with proxy.connect() as raw:
        raw.sendall(request)
        response = http.client.HTTPResponse(raw)
        response.begin()
        return response, json.loads(response.read())


def check_error_body(response: Any, body: dict[str, Any], status: int, code: str) -> None:
    assert response.status == status
    assert response.getheader("Content-Type") == "application/json"
    assert response.getheader("Cache-Control") == "no-store"
    assert body["success"] is False
    assert set(body) == {"success", "error", "request_id"}
    assert set(body["error"]) == {"code", "message", "details"}
    assert body["error"]["code"] == code
    assert body["error"]["message"]
    assert body["error"]["details"] == {}
    assert body["request_id"] == response.getheader("X-Request-ID")


def test_nginx_accepts_our_files_beside_the_platforms(proxy: Proxy) -> None:
    command = [proxy.binary, "-t", "-c", str(proxy.conf), "-p", str(proxy.conf.parent)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert "warn" not in said.stderr


def test_a_repeated_server_timeout_is_what_nginx_refuses(tmp_path: Path) -> None:
    # Why the timeouts stand in a location: at server level they are the platform's.
    binary = nginx_or_skip()
    conf = stage_proxy(tmp_path, ROOT, listen=free_port(), upstream=free_port())
    (conf.parent / "conf.d/elasticbeanstalk/20_repeated.conf").write_text("client_body_timeout 300s;\n")
    command = [binary, "-t", "-c", str(conf), "-p", str(conf.parent)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode != 0
    assert "duplicate" in said.stderr


def test_two_megabytes_pass(proxy: Proxy) -> None:
    response, body = ask(proxy, "POST", "/api/analyze/skin", bytes(2 * MEGABYTE))
    assert (response.status, body) == (200, {"from": "application", "bytes": 2 * MEGABYTE})


def test_ninety_megabytes_pass(proxy: Proxy) -> None:
    response, body = ask(proxy, "POST", "/api/analyze/skin", bytes(90 * MEGABYTE))
    assert (response.status, body["bytes"]) == (200, 90 * MEGABYTE)


@pytest.mark.parametrize("path", ["/api/analyze/skin", "/api/analyze/skin/autoderm", "/photo.jpg"])
def test_more_than_100_megabytes_are_refused_in_json(proxy: Proxy, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {101 * MEGABYTE}\r\n\r\n"
    response, body = read_raw_response(proxy, head.encode())
    check_error_body(response, body, 413, "body_too_large")


def test_a_caller_that_sends_all_of_it_still_reads_the_refusal(proxy: Proxy) -> None:
    check_error_body(*ask(proxy, "POST", "/api/analyze/skin", bytes(101 * MEGABYTE)), 413, "body_too_large")


def test_a_malformed_request_is_refused_in_json(proxy: Proxy) -> None:
    response, body = read_raw_response(proxy, b"GET / HTTP/1.1\r\nContent-Length: nonsense\r\nHost: x\r\n\r\n")
    check_error_body(response, body, 400, "bad_request")


def test_headers_that_are_too_large_are_refused_in_json(proxy: Proxy) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 40_000 + b"\r\n\r\n"
    response, body = read_raw_response(proxy, head)
    check_error_body(response, body, 431, "bad_request")


def test_without_an_application_there_is_a_json_502(tmp_path: Path) -> None:
    with running_proxy(tmp_path, upstream_up=False) as down:
        check_error_body(*ask(down, "GET", "/health"), 502, "bad_gateway")
        check_error_body(*ask(down, "POST", "/api/analyze/skin", b"photo"), 502, "bad_gateway")


def test_an_application_that_does_not_answer_gives_a_json_504(tmp_path: Path) -> None:
    with running_proxy(tmp_path, rewrite={"proxy_read_timeout 300s": "proxy_read_timeout 1s"}) as impatient:
        check_error_body(*ask(impatient, "GET", "/hold"), 504, "gateway_timeout")


@pytest.mark.parametrize("status", [400, 413, 500, 502, 503, 504])
def test_the_applications_own_errors_pass_unchanged(proxy: Proxy, status: int) -> None:
    response, body = ask(proxy, "GET", f"/status/{status}")
    assert (response.status, body["from"]) == (status, "application")


def test_a_slow_upload_is_not_cut(tmp_path: Path) -> None:
    """The platform's own timeout is made 1 s, and a piece of the body comes later than that."""
    rewrite = {"client_body_timeout 60;": "client_body_timeout 1;"}
    with running_proxy(tmp_path, rewrite=rewrite) as strict, strict.connect() as raw:
        raw.sendall(b"POST /api/analyze/skin HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello")
        # Nothing may come, neither an answer nor an end, while the stock timeout passes twice over.
        raw.settimeout(2.5)
        with pytest.raises(TimeoutError):
            raw.recv(1)
        raw.settimeout(STARTUP_S)
        raw.sendall(b"world")
        response = http.client.HTTPResponse(raw)
        response.begin()
        assert (response.status, json.loads(response.read())["bytes"]) == (200, 10)


def test_the_stock_timeout_would_have_cut_it(tmp_path: Path) -> None:
    """The same upload with our own timeout made as short: this is what the test above would see without ours."""
    rewrite = {"client_body_timeout 300s;": "client_body_timeout 1s;"}
    with running_proxy(tmp_path, rewrite=rewrite) as strict, strict.connect() as raw:
        raw.sendall(b"POST /api/analyze/skin HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello")
        assert b"200" not in raw.recv(1 << 16).partition(b"\r\n")[0]


def test_connections_stay_open_beyond_the_stock_time(tmp_path: Path) -> None:
    """The platform's keep-alive is made 1 s; a connection is used again after that, on any route."""
    with running_proxy(tmp_path, rewrite={"keepalive_timeout 60;": "keepalive_timeout 1;"}) as strict:
        connection = http.client.HTTPConnection("127.0.0.1", strict.port, timeout=STARTUP_S)
        for path in ("/health", "/any/other/route"):
            connection.request("GET", path)
            connection.getresponse().read()
            connection.sock.settimeout(2.5)
            with pytest.raises(TimeoutError):
                connection.sock.recv(1)
            connection.sock.settimeout(STARTUP_S)
        connection.close()


def test_the_effective_values_are_the_specifications(proxy: Proxy) -> None:
    effective = proxy.effective()
    for setting in (
        "client_max_body_size 100m;",
        "proxy_read_timeout 300s;",
        "proxy_send_timeout 300s;",
        "send_timeout 300s;",
        "client_body_timeout 300s;",
        "keepalive_timeout 345s;",
        "proxy_buffering on;",
        "proxy_buffer_size 128k;",
        "proxy_buffers 4 256k;",
        "proxy_busy_buffers_size 256k;",
    ):
        assert setting in effective


def test_a_callers_request_id_goes_all_the_way(proxy: Proxy) -> None:
    response, body = ask(proxy, "GET", "/", X_Request_ID="case-42.a_B")
    assert response.getheader("X-Request-ID") == "case-42.a_B"
    assert body["headers"]["x-request-id"] == "case-42.a_B"


@pytest.mark.parametrize("given", ['"}, "x": "', "a b", "x" * 65, "<script>"])
def test_an_id_that_could_do_harm_is_replaced(proxy: Proxy, given: str) -> None:
    response, body = ask(proxy, "GET", "/", X_Request_ID=given)
    made = response.getheader("X-Request-ID")
    assert made == body["headers"]["x-request-id"]
    assert len(made) == 32
    assert made.isalnum()


def test_our_own_errors_carry_the_callers_id(proxy: Proxy) -> None:
    head = f"POST / HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine-1\r\nContent-Length: {101 * MEGABYTE}\r\n\r\n"
    _, body = read_raw_response(proxy, head.encode())
    assert body["request_id"] == "mine-1"


def test_the_application_learns_where_a_request_came_from(proxy: Proxy) -> None:
    _, body = ask(proxy, "GET", "/", Host="skin.example", X_Forwarded_For="203.0.113.7", X_Forwarded_Proto="https")
    headers = body["headers"]
    assert headers["host"] == "skin.example"
    assert headers["x-forwarded-for"] == "203.0.113.7, 127.0.0.1"
    assert headers["x-forwarded-proto"] == "https"


def test_the_error_page_cannot_be_asked_for(proxy: Proxy) -> None:
    check_error_body(*ask(proxy, "GET", "/.dermserve-error"), 404, "not_found")


def test_uploads_are_spooled_in_memory() -> None:
    text = (ROOT / ".platform/nginx/conf.d/dermserve.conf").read_text()
    assert "client_body_temp_path /dev/shm/" in text
    assert "proxy_temp_path /dev/shm/" in text


def test_the_access_log_has_neither_a_query_nor_what_is_no_request(tmp_path: Path) -> None:
    with running_proxy(tmp_path) as quiet:
        ask(quiet, "POST", "/api/analyze/skin?age=54&body_site=face", bytes(MEGABYTE))
        ask(quiet, "GET", "/a%22path%20with%20words")
        read_raw_response(quiet, b"\xff\xd8\xff\xe0private bytes\r\n\r\n")
    access = (tmp_path / "log" / "access.log").read_bytes()
    found = sorted((line.split(b'"')[1], line.split()[-4]) for line in access.splitlines())  # each worker has its time
    assert found == [(b"GET -", b"200"), (b"GET -", b"400"), (b"POST /api/analyze/skin", b"200")]
    assert b"age" not in (tmp_path / "log" / "error.log").read_bytes()


def test_the_platforms_health_log_goes_on(tmp_path: Path) -> None:
    with running_proxy(tmp_path) as healthy:
        ask(healthy, "GET", "/health")
        read_raw_response(healthy, b"nonsense\r\n\r\n")
    (log,) = (tmp_path / "log" / "healthd").iterdir()
    assert sorted(line.split('"')[1:3] for line in log.read_text().splitlines()) == [
        ["/.dermserve-error", "400"],
        ["/health", "200"],
    ]


def test_the_health_log_omits_refusals_because_of_overload_alone(tmp_path: Path) -> None:
    with running_proxy(tmp_path) as busy:
        for path in ("/busy", "/status/503", "/status/500"):
            ask(busy, "GET", path)
    (log,) = (tmp_path / "log" / "healthd").iterdir()
    counted = sorted(line.split('"')[1:3] for line in log.read_text().splitlines())
    assert counted == [["/status/500", "500"], ["/status/503", "503"]]
    # The access log has all three.
    assert len((tmp_path / "log" / "access.log").read_text().splitlines()) == 3
