"""What server/ and gunicorn.conf.py replace in gunicorn, or use of its insides, is there and is used as they expect.

gunicorn promises none of this. A test that fails here after an update says what to look at in server/.
"""

from __future__ import annotations

import inspect
import os
import socket
from collections.abc import Callable, Iterator

import pytest
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.http import get_parser
from gunicorn.http.wsgi import default_environ
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import TConn, ThreadWorker

from server.access_log import GunicornLogger
from server.worker import DrainingWorker

#: each method that is replaced, and its parameters after ``self``
WORKER_METHODS = {
    "accept": ("listener",),
    "run": (),
    "handle_exit": ("sig", "frame"),
    "handle_quit": ("sig", "frame"),
    "set_accept_enabled": ("enabled",),
    "murder_pending": (),
    "handle": ("conn",),
    "handle_request": ("req", "conn"),
    "handle_error": ("req", "client", "addr", "exc"),
}
LOGGER_METHODS = {
    "setup": ("cfg",),
    "exception": ("msg", "args", "kwargs"),
    "access": ("resp", "req", "environ", "request_time"),
}
#: by whom what is replaced is called, and what is set to change their behaviour is read
USES = {
    "run": {"set_accept_enabled", "murder_pending", "alive", "nr_conns", "wait_for_and_dispatch_events"},
    "set_accept_enabled": {"accept", "sockets"},
    "accept": {"nr_conns"},
    "murder_pending": {"pending_conns", "timeout"},
    "enqueue_req": {"handle"},
    "handle": {"handle_request", "handle_error", "sock"},
    "handle_request": {"max_keepalived", "wsgi", "access", "force_close"},
    "init_signals": {"handle_exit", "handle_quit", "SIGTERM", "SIGINT", "SIGQUIT"},
    "init_process": {"method_queue"},
}


class Application(BaseApplication):  # type: ignore[misc]
    """Of which an arbiter can be made."""

    def load_config(self) -> None:
        """The defaults."""

    def load(self) -> None:
        """Nothing is served."""


def parameters(method: Callable[..., object]) -> tuple[str, ...]:
    return tuple(inspect.signature(method).parameters)[1:]


@pytest.fixture
def worker() -> Iterator[ThreadWorker]:
    config = Config()
    made = ThreadWorker(1, os.getpid(), [], None, 30, config, Logger(config))
    yield made
    made.tmp.close()


@pytest.mark.parametrize(
    ("ours", "its", "methods"),
    [(DrainingWorker, ThreadWorker, WORKER_METHODS), (GunicornLogger, Logger, LOGGER_METHODS)],
    ids=["worker", "logger"],
)
def test_what_is_replaced_is_there_with_the_same_parameters(
    ours: type, its: type, methods: dict[str, tuple[str, ...]]
) -> None:
    replaced = {name for name in vars(ours) if hasattr(its, name) and not name.startswith("__")}
    assert replaced == set(methods)
    assert {name: parameters(getattr(its, name)) for name in methods} == methods


@pytest.mark.parametrize("method", USES)
def test_gunicorn_calls_and_reads_what_is_replaced(method: str) -> None:
    assert USES[method] <= set(getattr(ThreadWorker, method).__code__.co_names)


def test_a_worker_keeps_what_is_read_and_set(worker: ThreadWorker) -> None:
    kept = vars(worker)
    assert {"alive", "sockets", "nr_conns", "max_keepalived", "pending_conns", "method_queue", "pid"} <= set(kept)
    assert (worker.alive, worker.nr_conns, list(worker.pending_conns)) == (True, 0, [])
    assert "number" not in kept  # the name that is added is free


def test_what_is_deferred_runs_in_the_loop_of_the_worker(worker: ThreadWorker) -> None:
    ran: list[str] = []
    queue = worker.method_queue
    queue.init()
    try:
        queue.defer(ran.append, "called")
        assert ran == []
        queue.run_callbacks(None)
        assert ran == ["called"]
    finally:
        queue.close()


def test_a_connection_has_a_socket_and_a_time_to_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = TConn(Config(), ours, "", "")
        assert connection.sock is ours
        assert connection.timeout is None
        connection.set_timeout()
        assert connection.timeout > 0


def test_an_answer_is_written_to_a_socket_that_blocks_or_not() -> None:
    for blocks in (True, False):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(blocks)
            write_nonblock(ours, b"answer")
            assert theirs.recv(10) == b"answer"


def test_the_application_is_given_the_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"GET / HTTP/1.1\r\nHost: service\r\n\r\n")
        request = next(get_parser(Config(), ours, ("127.0.0.1", 1)))
        assert default_environ(request, ours, Config())["gunicorn.socket"] is ours


def test_the_logger_has_two_loggers_to_hand_over() -> None:
    logger = GunicornLogger(Config())
    for one in (logger.error_log, logger.access_log):
        assert one.handlers == []
        assert one.propagate


def test_an_arbiter_tells_whether_it_is_the_last() -> None:
    arbiter = Arbiter(Application())
    assert (arbiter.reexec_pid, arbiter.master_pid, arbiter.systemd) == (0, 0, False)
    assert arbiter.WORKERS == {}
    assert parameters(Arbiter.signal) == ("sig", "frame")
