"""What clients notice of faults and restarts while they keep asking."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil
import pytest

from tests.e2e.load import Load, load_on
from tests.e2e.server import ANALYZE, Server, running_server
from tests.waiting import wait_until

#: fewer than one worker admits: nobody is refused for want of room
_CLIENTS = 4
#: more than both workers together admit
_CROWD = 24
_MOCK = {"USE_MOCK_SERVICES": "true", "FLASK_ENV": "development"}
_ANSWERED = re.compile(rf'^dermserve_requests_total{{route="{ANALYZE}",status="200"}} (\S+)$', re.MULTILINE)


@pytest.fixture(scope="module")
def own(var_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service whose workers may be replaced."""
    with running_server(var_folder, tmp_path_factory.mktemp("faults")) as running:
        yield running


def only_answered(load: Load) -> bool:
    """Whether every request so far was answered, and with 200."""
    return load.lost == [] and load.refused == 0 and set(load.answers) == {200}


def wait_for_two(server: Server) -> None:
    """Until the instance has two workers, both ready."""
    both = {"ready": 2, "expected": 2}
    wait_until(lambda: server.get("/health/ready").json().get("workers") == both and len(server.workers()) == 2)


def test_a_killed_worker_takes_only_what_it_held(own: Server) -> None:
    wait_for_two(own)
    with load_on(own, _CLIENTS) as load:
        load.wait_for(4)
        victim, sibling = own.workers()
        held = stopped_while_holding(victim)
        victim.kill()
        load.wait_for(8)
        wait_until(lambda: victim.pid not in {worker.pid for worker in own.workers()})
        wait_for_two(own)
        load.wait_for(4)
        assert sibling in own.workers()
    assert load.refused == 0
    assert set(load.answers) == {200}
    assert len(load.lost) <= held


def stopped_while_holding(worker: psutil.Process) -> int:
    """Stop ``worker`` at a moment when it holds clients' connections. How many they are."""
    for _ in range(1000):
        worker.suspend()
        held = sum(connection.status != psutil.CONN_LISTEN for connection in worker.net_connections("tcp"))
        if held:
            return held
        worker.resume()
    raise AssertionError("the worker never held a connection")


def test_a_reload_fails_no_request(own: Server) -> None:
    wait_for_two(own)
    old = {worker.pid for worker in own.workers()}
    with load_on(own, _CLIENTS) as load:
        load.wait_for(4)
        own.process.send_signal(signal.SIGHUP)
        wait_until(lambda: old.isdisjoint(worker.pid for worker in own.workers()))
        wait_for_two(own)
        load.wait_for(8)
        assert own.get("/health/ready").status_code == 200
    assert only_answered(load), load


def test_workers_that_are_replaced_after_so_many_requests_fail_none(tmp_path: Path) -> None:
    with running_server(tmp_path, tmp_path, {**_MOCK, "DERMSERVE_MAX_REQUESTS": "40"}) as server:
        seen = {worker.pid for worker in server.workers()}
        with load_on(server, _CLIENTS) as load:
            while len(seen) < 6:
                load.wait_for(10)
                seen |= {worker.pid for worker in server.workers()}
    assert only_answered(load), load


def test_sigterm_fails_no_request(var_folder: Path, tmp_path: Path) -> None:
    with running_server(var_folder, tmp_path, {"DERMSERVE_STOP_DELAY_S": "5"}) as server:
        with load_on(server, _CROWD) as load:
            load.wait_for(8)
            server.process.send_signal(signal.SIGTERM)
            wait_until(lambda: server.get("/health/ready").status_code == 503)
            assert server.get("/health/ready").json()["error"]["details"]["state"] == "stopping"
            # The instance is marked at once; each worker ends its connections as soon as it has heard the signal.
            wait_until(lambda: server.get("/health/ready").headers["Connection"] == "close")
            assert server.get("/health").status_code == 200
            load.wait_for(2)
            wait_until(lambda: load.refused == _CROWD, lambda: load)
        assert server.stop() == 0
    assert load.lost == []
    assert set(load.answers) == {200, 503}, "more asked than there was room for; all of them were told so"


def test_ctrl_c_waits_for_nobody(tmp_path: Path) -> None:
    """The delay is for load balancers, and a client that dawdles is not for the person at the keyboard to wait for."""
    settings = {**_MOCK, "DERMSERVE_STOP_DELAY_S": "600"}
    with running_server(tmp_path, tmp_path, settings) as server, slow_clients(server, 2):
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(60) == 0


def test_slow_clients_hold_nobody_up_for_long(own: Server) -> None:
    """One byte a second, from more clients than there is room for. Some of them never get past their headers."""
    wait_for_two(own)
    with slow_clients(own, _CROWD), load_on(own, _CLIENTS) as load:
        for _ in range(20):
            assert own.get("/health").status_code == 200
        load.wait_for(8)
    assert load.lost == []
    assert set(load.answers) <= {200, 503}
    assert own.get("/health/ready").json()["workers"]["ready"] == 2


@contextmanager
def slow_clients(server: Server, count: int) -> Iterator[None]:
    """``count`` clients that send a byte a second, one in four of them its headers; whoever is cut off begins anew."""
    host, port = server.url.removeprefix("http://").split(":")
    stop = threading.Event()
    head = f"POST {ANALYZE} HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/jpeg\r\nContent-Length: 500000\r\n\r\n"

    def trickle(start: bytes) -> None:
        while not stop.is_set():
            with socket.create_connection((host, int(port))) as sock:
                begun.release()
                trickle_into(sock, start)

    def trickle_into(sock: socket.socket, start: bytes) -> None:
        try:
            sock.sendall(start)
            while not stop.wait(1):
                sock.sendall(b"x")
        except OSError:
            return

    begun = threading.Semaphore(0)
    starts = [head.encode()[:60] if number % 4 == 0 else head.encode() for number in range(count)]
    threads = [threading.Thread(target=trickle, args=(start,), daemon=True) for start in starts]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert begun.acquire(timeout=60)
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def test_a_disk_that_fills_up_stops_neither_answers_nor_counting(tmp_path: Path) -> None:
    with on_small_disk(tmp_path, "4M") as server, load_on(server, _CLIENTS) as load:
        load.wait_for(8)
        # the disk is there for the service alone: it is reached by way of its process
        fill(Path(f"/proc/{server.process.pid}/root{tmp_path}") / "fill")
        before = answered(server)
        load.wait_for(20)
        assert answered(server) >= before + 20
        assert server.get("/health/ready").status_code == 200
    assert only_answered(load), load


def test_a_disk_without_room_for_metrics_costs_metrics_alone(tmp_path: Path) -> None:
    with on_small_disk(tmp_path, "200k") as server, load_on(server, _CLIENTS) as load:
        load.wait_for(20)
        response = server.get("/metrics")
        assert (response.status_code, response.json()["error"]["code"]) == (503, "unavailable")
    assert only_answered(load), load


def answered(server: Server) -> float:
    """Analyses answered with 200, by the service's own count."""
    response = server.get("/metrics")
    found = _ANSWERED.search(response.text)
    assert found, response.text
    return float(found[1])


def fill(path: Path) -> None:
    """Write a file until there is no room left."""
    with path.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        write_for_ever(file)


def write_for_ever(file: IO[bytes]) -> None:
    while True:
        file.write(bytes(4096))


@contextmanager
def on_small_disk(folder: Path, size: str) -> Iterator[Server]:
    """A service to which ``folder`` is a disk of ``size``. Skips where none may be mounted."""
    script = f'mount -t tmpfs -o size={size} tmpfs "{folder}" && exec "$@"'
    under = ["unshare", "--mount", "sh", "-c", script, "small-disk"]
    try:
        subprocess.run([*under, "true"], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    with running_server(folder, folder, _MOCK, under=under) as server:
        yield server
