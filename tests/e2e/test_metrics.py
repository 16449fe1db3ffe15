"""/metrics of a running service: one page for all workers, whichever of them answers."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.server import ANALYZE, Server, running_server, skin_photo

_MOCK = {"USE_MOCK_SERVICES": "true", "FLASK_ENV": "development"}
_ANSWERED = ("dermserve_requests_total", ANALYZE, "200")
_WAITING = ("dermserve_waiting",)
_STAGES = {"queue", "decode", "faces", "encode", "search", "measure", "total"}


def scrape(server: Server) -> Mapping[tuple[str, ...], float]:
    """(name, label values in the order of the labels' names) → value."""
    response = server.get("/metrics")
    assert response.status_code == 200
    return {
        (sample.name, *(sample.labels[label] for label in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def scrape_until(server: Server, holds: Callable[[Mapping[tuple[str, ...], float]], bool]) -> None:
    """Ask until ``holds``; a minute of asking in vain is a failure."""
    end = time.monotonic() + 60
    while not holds(found := scrape(server)):
        assert time.monotonic() < end, found


@contextmanager
def only(server: Server, worker: psutil.Process) -> Iterator[None]:
    """No other worker answers."""
    others = [other for other in server.workers() if other != worker]
    for other in others:
        other.suspend()
    try:
        yield
    finally:
        for other in others:
            other.resume()


def test_the_counts_are_those_of_all_workers_whichever_answers(server: Server) -> None:
    before = scrape(server)
    workers = server.workers()
    assert len(workers) == 2
    for worker in workers:
        with only(server, worker):
            for _ in range(2):
                assert server.post(files={"image": skin_photo()}).status_code == 200
    for worker in workers:
        with only(server, worker):
            after = scrape(server)
        assert after[_ANSWERED] - before.get(_ANSWERED, 0) == 4
        for stage in _STAGES:
            counter = ("dermserve_stage_seconds_count", stage)
            assert after[counter] - before.get(counter, 0) == 4, stage
        assert after[_WAITING] == after["dermserve_running",] == 0


def test_models_index_and_memory_are_told(server: Server) -> None:
    found = scrape(server)
    index = server.get("/health/ready").json()["index"]
    (told,) = [key for key in found if key[0] == "dermserve_index_info"]
    built_at, _, name, synthetic = told[1:]
    assert (built_at, name, synthetic) == (index["built_at"], index["name"], "true")
    models = {key[3] for key in found if key[0] == "dermserve_model_info"}
    assert {"efficientnet-lite0", "sklesion"} <= models
    for worker in server.workers():
        resident = found["dermserve_worker_resident_bytes", str(worker.pid)]
        assert 2**27 < found["dermserve_worker_proportional_bytes", str(worker.pid)] <= resident


def test_a_killed_worker_s_counts_stay_and_what_it_held_goes(tmp_path: Path) -> None:
    with running_server(tmp_path, tmp_path, _MOCK) as server:
        for _ in range(6):
            assert server.post(files={"image": skin_photo()}).status_code == 200
        with half_sent_request(server) as sock:
            scrape_until(server, lambda found: found[_WAITING] == 1)
            (holder,) = [worker for worker in server.workers() if _holds(worker, sock)]
            holder.kill()
            holder.wait(timeout=30)
            memory = ("dermserve_worker_resident_bytes", str(holder.pid))
            scrape_until(server, lambda found: found[_WAITING] == 0 and memory not in found)
        assert scrape(server)[_ANSWERED] == 6
        assert server.post(files={"image": skin_photo()}).status_code == 200
        assert scrape(server)[_ANSWERED] == 7
    assert not list(tmp_path.glob("dermserve-*"))


@contextmanager
def half_sent_request(server: Server) -> Iterator[socket.socket]:
    """A request that a worker waits for the rest of."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as sock:
        head = f"POST {ANALYZE} HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/jpeg\r\nContent-Length: 5000\r\n\r\n"
        sock.sendall(head.encode() + b"the first of it")
        yield sock


def _holds(worker: psutil.Process, sock: socket.socket) -> bool:
    port = sock.getsockname()[1]
    return any(connection.raddr and connection.raddr.port == port for connection in worker.net_connections("tcp"))


def test_a_request_through_a_proxy_finds_no_page(server: Server) -> None:
    response = requests.get(f"{server.url}/metrics", headers={"X-Forwarded-For": "127.0.0.1"}, timeout=60)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_unless_it_is_set_public(tmp_path: Path) -> None:
    with running_server(tmp_path, tmp_path, {**_MOCK, "DERMSERVE_METRICS": "public"}) as server:
        response = requests.get(f"{server.url}/metrics", headers={"X-Forwarded-For": "192.0.2.1"}, timeout=60)
    assert response.status_code == 200
