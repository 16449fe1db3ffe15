"""What clients notice of faults and restarts while they keep asking."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

import psutil
import pytest

from benchmarks.load import load_on, request_head, slow_clients
from benchmarks.outcomes import Tally
from tests.e2e.server import ANALYZE, Server, running_server, skin_photo
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


def asking(server: Server, clients: int) -> AbstractContextManager[Tally]:
    """So many clients that ask on and on, and what becomes of their requests."""
    return load_on(server.url, skin_photo(), clients)


def wait_for(load: Tally, more: int) -> None:
    """Until ``more`` analyses than now have been answered with 200."""
    goal = load.answers[200] + more
    wait_until(lambda: load.answers[200] >= goal, lambda: f"{load.answers}, lost: {load.lost}")


def only_answered(load: Tally) -> bool:
    """Whether every request so far was answered, and with 200."""
    return load.lost == [] and load.refused == 0 and set(load.answers) == {200}


def wait_for_two(server: Server) -> None:
    """Until the instance has two workers, both ready."""
    both = {"ready": 2, "expected": 2}
    wait_until(lambda: server.get("/health/ready").json().get("workers") == both and len(server.workers()) == 2)


def test_a_killed_worker_takes_only_what_it_held(own: Server) -> None:
    wait_for_two(own)
    with asking(own, _CLIENTS) as load:
        wait_for(load, 4)
        victim, sibling = own.workers()
        held = stopped_while_holding(victim)
        victim.kill()
        wait_for(load, 8)
        wait_until(lambda: victim.pid not in {worker.pid for worker in own.workers()})
        wait_for_two(own)
        wait_for(load, 4)
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
    with asking(own, _CLIENTS) as load:
        wait_for(load, 4)
        own.process.send_signal(signal.SIGHUP)
        wait_until(lambda: old.isdisjoint(worker.pid for worker in own.workers()))
        wait_for_two(own)
        wait_for(load, 8)
        assert own.get("/health/ready").status_code == 200
    assert only_answered(load), load


def test_a_reload_with_a_damaged_index_serves_the_old_one(var_folder: Path, tmp_path: Path) -> None:
    index = tmp_path / "index" / "copy"
    shutil.copytree(var_folder / "index" / "sample", index)
    with running_server(var_folder, tmp_path, {"DERMSERVE_INDEX": str(index)}) as server:
        old = {worker.pid for worker in server.workers()}
        served = server.get("/health/ready").json()["index"]
        (index / "manifest.json").unlink()
        with asking(server, _CLIENTS) as load:
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: old.isdisjoint(worker.pid for worker in server.workers()))
            wait_for_two(server)
            wait_for(load, 8)
            assert server.get("/health/ready").json()["index"] == served
        assert only_answered(load), load
        assert '"reload_refused"' in server.log.read_text() + "".join(server.said)
    assert [path.name for path in index.parent.iterdir()] == ["copy"]


def test_workers_that_are_replaced_after_so_many_requests_fail_none(tmp_path: Path) -> None:
    with running_server(tmp_path, tmp_path, {**_MOCK, "DERMSERVE_MAX_REQUESTS": "40"}) as server:
        seen = {worker.pid for worker in server.workers()}
        with asking(server, _CLIENTS) as load:
            while len(seen) < 6:
                wait_for(load, 10)
                seen |= {worker.pid for worker in server.workers()}
    assert only_answered(load), load


def test_sigterm_fails_no_request(var_folder: Path, tmp_path: Path) -> None:
    with running_server(var_folder, tmp_path, {"DERMSERVE_STOP_DELAY_S": "5"}) as server:
        with asking(server, _CROWD) as load:
            wait_for(load, 8)
            server.process.send_signal(signal.SIGTERM)
            wait_until(lambda: server.get("/health/ready").status_code == 503)
            assert server.get("/health/ready").json()["error"]["details"]["state"] == "stopping"
            # The instance is marked at once; each worker ends its connections as soon as it has heard the signal.
            wait_until(lambda: server.get("/health/ready").headers["Connection"] == "close")
            assert server.get("/health").status_code == 200
            wait_for(load, 2)
            wait_until(lambda: load.refused == _CROWD, lambda: load)
        assert server.stop() == 0
    assert load.lost == []
    assert set(load.answers) == {200, 503}, "more asked than there was room for; all of them were told so"


def test_ctrl_c_waits_for_nobody(tmp_path: Path) -> None:
    """The delay is for load balancers, and a client that dawdles is not for the person at the keyboard to wait for."""
    settings = {**_MOCK, "DERMSERVE_STOP_DELAY_S": "600"}
    with running_server(tmp_path, tmp_path, settings) as server, trickling(server, 2):
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(60) == 0


def test_slow_clients_hold_nobody_up_for_long(own: Server) -> None:
    """One byte a second, from more clients than there is room for. Some of them never get past their headers."""
    wait_for_two(own)
    with trickling(own, _CROWD), asking(own, _CLIENTS) as load:
        for _ in range(20):
            assert own.get("/health").status_code == 200
        wait_for(load, 8)
    assert load.lost == []
    assert set(load.answers) <= {200, 503}
    assert own.get("/health/ready").json()["workers"]["ready"] == 2


def trickling(server: Server, count: int) -> AbstractContextManager[None]:
    """``count`` clients that send a byte a second; one in four of them never gets past its headers."""
    head = request_head("POST", server.url, ANALYZE, Content_Type="image/jpeg", Content_Length="500000")
    return slow_clients(server.url, [head[:60] if number % 4 == 0 else head for number in range(count)])


def test_a_disk_that_fills_up_stops_neither_answers_nor_counting(tmp_path: Path) -> None:
    with on_small_disk(tmp_path, "4M") as server, asking(server, _CLIENTS) as load:
        wait_for(load, 8)
        # the disk is there for the service alone: it is reached by way of its process
        fill(Path(f"/proc/{server.process.pid}/root{tmp_path}") / "fill")
        before = answered(server)
        wait_for(load, 20)
        assert answered(server) >= before + 20
        assert server.get("/health/ready").status_code == 200
    assert only_answered(load), load


def test_a_disk_without_room_for_metrics_costs_metrics_alone(tmp_path: Path) -> None:
    with on_small_disk(tmp_path, "200k") as server, asking(server, _CLIENTS) as load:
        wait_for(load, 20)
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
