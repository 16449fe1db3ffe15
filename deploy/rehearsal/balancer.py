"""A front nginx in the place of the load balancer: it knows one target, and drains the old one when that changes."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from pathlib import Path

import psutil

from deploy.rehearsal.errors import RehearsalError
from deploy.rehearsal.http_client import answers
from deploy.rehearsal.ports import LOOPBACK
from deploy.rehearsal.processes import Processes

_START_S = 20

# As the ALB: streams bodies of any size, gives up after its idle timeout, and answers 503 without a target.
_CONF = """
{user}
worker_processes 1;
pid {folder}/front.pid;
error_log {folder}/front.error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    client_body_timeout {idle}s;
    keepalive_timeout {idle}s;
    send_timeout {idle}s;
    proxy_read_timeout {idle}s;
    proxy_send_timeout {idle}s;
    proxy_connect_timeout 10s;
    proxy_buffering off;
    proxy_request_buffering off;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto http;
    server {{
        listen {loopback}:{port};
        location / {{ {target} }}
    }}
}}
"""


class Balancer:
    """The environment's address."""

    def __init__(self, nginx: str, folder: Path, port: int, user: str, processes: Processes) -> None:
        self.port = port
        self._nginx = nginx
        self._folder = folder
        self._user = user
        self._processes = processes
        self._front: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Raises RehearsalError if nginx does not start."""
        self._folder.mkdir(parents=True)
        conf = self._write("return 503;", idle_s=60)
        log = self._folder / "front.log"
        command: list[str | Path] = [self._nginx, "-c", conf, "-p", self._folder, "-e", log, "-g", "daemon off;"]
        self._front = self._processes.start(command, cwd=self._folder, env={"PATH": "/usr/bin:/bin"}, log=log)
        pause = threading.Event()
        for _ in range(_START_S * 10):
            if answers(self.port):
                return
            if self._front.poll() is not None:
                break
            pause.wait(0.1)
        raise RehearsalError(f"the front nginx did not start; see {log}")

    def switch(self, port: int, idle_s: int, drain_s: int) -> bool:
        """Send new requests to ``port`` and wait for those that run. True if all of them ended within ``drain_s``."""
        if self._front is None:
            raise RehearsalError("the front nginx was not started")
        before = psutil.Process(self._front.pid).children()
        self._write(f"proxy_pass http://{LOOPBACK}:{port};", idle_s)
        self._front.send_signal(signal.SIGHUP)
        self._await_new_worker({worker.pid for worker in before})
        # A worker of the old configuration leaves once its last request is answered.
        _, left = psutil.wait_procs(before, timeout=drain_s)
        return not left

    def _await_new_worker(self, old: set[int]) -> None:
        assert self._front is not None
        end = time.monotonic() + _START_S
        pause = threading.Event()
        while time.monotonic() < end:
            if {worker.pid for worker in psutil.Process(self._front.pid).children()} - old:
                return
            pause.wait(0.05)
        raise RehearsalError(f"the front nginx did not take its new target; see {self._folder}/front.error.log")

    def _write(self, target: str, idle_s: int) -> Path:
        conf = self._folder / "front.conf"
        conf.write_text(
            _CONF.format(
                user=self._user, folder=self._folder, loopback=LOOPBACK, port=self.port, target=target, idle=idle_s
            )
        )
        return conf
