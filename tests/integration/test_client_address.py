"""Whom the service takes for its client, behind a real nginx, and what of its headers nginx's own errors carry."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from werkzeug.serving import make_server

from server.instance import this_process
from settings import Settings
from tests.integration.nginx_fixture import Proxy, proxy_before
from web.app import create_app
from web.http import HSTS, SECURITY_HEADERS
from web.limits import address


@contextmanager
def service(folder: Path, proxies: int) -> Iterator[Proxy]:
    """The application behind nginx, as on Elastic Beanstalk; what the load balancer adds, tests add themselves."""
    settings = Settings(var=folder, use_mock_services=True, flask_env="testing", proxies=proxies)
    app = create_app(settings, this_process(settings))
    app.add_url_rule("/who", "who", address)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with proxy_before(server.server_port, folder) as proxy:
            yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("proxies", "forwarded", "client"),
    [
        (2, "203.0.113.7", "203.0.113.7"),
        (2, "6.6.6.6, 203.0.113.7", "203.0.113.7"),
        (2, "6.6.6.6, 10.0.0.1, 127.0.0.1, 203.0.113.7", "203.0.113.7"),
        (2, "", "127.0.0.1"),
        (1, "6.6.6.6", "127.0.0.1"),
        (0, "6.6.6.6", "127.0.0.1"),
    ],
)
def test_the_client_is_whom_the_outermost_trusted_proxy_saw(
    proxies: int, forwarded: str, client: str, tmp_path: Path
) -> None:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    with service(tmp_path, proxies) as proxy:
        assert requests.get(f"http://127.0.0.1:{proxy.port}/who", headers=headers, timeout=20).text == client


def test_metrics_stay_private_whatever_a_client_says_of_itself(tmp_path: Path) -> None:
    with service(tmp_path, 2) as proxy:
        for headers in ({}, {"X-Forwarded-For": "127.0.0.1"}, {"X-Forwarded-For": "127.0.0.1, 127.0.0.1"}):
            response = requests.get(f"http://127.0.0.1:{proxy.port}/metrics", headers=headers, timeout=20)
            assert response.status_code == 404


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_answers_and_nginx_s_own_errors_carry_the_same_headers(scheme: str, tmp_path: Path) -> None:
    with service(tmp_path, 2) as proxy:
        url, headers = f"http://127.0.0.1:{proxy.port}", {"X-Forwarded-Proto": scheme, "X-Forwarded-For": "192.0.2.1"}
        own = requests.get(f"{url}/nothing", headers=headers, timeout=20)
        nginx_s = requests.get(f"{url}/.dermserve-error", headers=headers, timeout=20)
    expected = SECURITY_HEADERS | ({"Strict-Transport-Security": HSTS} if scheme == "https" else {})
    for response in (own, nginx_s):
        assert response.status_code == 404
        assert {name: response.headers.get(name) for name in expected} == expected
        assert ("Strict-Transport-Security" in response.headers) == (scheme == "https")
