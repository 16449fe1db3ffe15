"""A real Redis on loopback, that a test may stop, freeze and start again."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as NoConnectionError

from tests.integration.nginx_fixture import free_port
from tests.tools import tool_or_skip

_START_S = 20


def redis_or_skip() -> str:
    """Path of redis-server. Without one the tests are skipped, visibly; in CI that is a failure."""
    return tool_or_skip("redis-server", must="test exact rate limits", skipped="exact rate limits are not tested")


@dataclass
class RedisServer:
    """One Redis at one port, over as many starts as a test needs. Nothing is written to disk."""

    binary: str
    folder: Path
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command = [self.binary, *options, "--dir", str(self.folder), "--logfile", str(self.folder / "redis.log")]
        self._process = subprocess.Popen(command)
        pause = threading.Event()
        with Redis(port=self.port) as client:
            for _ in range(_START_S * 20):
                try:
                    client.ping()
                except NoConnectionError:
                    assert self._process.poll() is None, (self.folder / "redis.log").read_text()
                    pause.wait(0.05)
                else:
                    return
        raise AssertionError("redis-server does not answer")

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            self.thaw()
            self._process.terminate()
            self._process.wait(_START_S)
            self._process = None


@contextmanager
def running_redis(folder: Path) -> Iterator[RedisServer]:
    """A Redis that answers; stopped at the end."""
    server = RedisServer(redis_or_skip(), folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
