"""An nginx in place of the load balancer. When its targets change, the requests of the old ones are drained."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from deploy.rehearsal.client import responds
from deploy.rehearsal.processes import LOOPBACK, Processes
from deploy.rehearsal.progress import RehearsalError

_START_S = 20

# Like the ALB, it streams bodies of any size, closes idle connections, and answers 503 without a target.
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
    # A request is never repeated, and a failed one stops no target, so that each loss is seen.
    proxy_next_upstream off;
    upstream targets {{ {targets} }}
    server {{
        listen {loopback}:{port};
        location / {{ {target} }}
    }}
}}
"""


class Balancer:
    """The load balancer of the environment."""

    def __init__(self, nginx: str, folder: Path, port: int, user: str, processes: Processes) -> None:
        self.port = port
        self._nginx = nginx
        self._folder = folder
        self._user = user
        self._processes = processes
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Raises RehearsalError if nginx does not start."""
        self._folder.mkdir(parents=True)
        conf = self._write([], idle_s=60)
        log = self._folder / "front.log"
        command: list[str | Path] = [self._nginx, "-c", conf, "-p", self._folder, "-e", log, "-g", "daemon off;"]
        self._process = self._processes.start(command, cwd=self._folder, env={"PATH": "/usr/bin:/bin"}, log=log)
        pause = threading.Event()
        for _ in range(_START_S * 10):
            if responds(self.port):
                return
            if self._process.poll() is not None:
                break
            pause.wait(0.1)
        raise RehearsalError(f"the load balancer's nginx did not start; see {log}")

    def switch(self, ports: Sequence[int], idle_s: int, drain_s: int) -> bool:
        """Send new requests to ``ports`` in turn and wait for running ones.

        Returns whether all ended within ``drain_s``.
        """
        if self._process is None:
            raise RehearsalError("the load balancer's nginx was not started")
        old_workers = psutil.Process(self._process.pid).children()
        self._write(ports, idle_s)
        self._process.send_signal(signal.SIGHUP)
        self._await_new_worker({worker.pid for worker in old_workers})
        # An nginx worker with the old configuration exits after its last request.
        _, still_running = psutil.wait_procs(old_workers, timeout=drain_s)
        return not still_running

    def _await_new_worker(self, old: set[int]) -> None:
        assert self._process is not None
        end = time.monotonic() + _START_S
        pause = threading.Event()
        while time.monotonic() < end:
            if {worker.pid for worker in psutil.Process(self._process.pid).children()} - old:
                return
            pause.wait(0.05)
        raise RehearsalError(
            f"the load balancer's nginx did not switch to the new target; see {self._folder}/front.error.log"
        )

    def _write(self, ports: Sequence[int], idle_s: int) -> Path:
        servers = " ".join(f"server {LOOPBACK}:{port} max_fails=0;" for port in ports)
        conf = self._folder / "front.conf"
        conf.write_text(
            _CONF.format(
                user=self._user,
                folder=self._folder,
                loopback=LOOPBACK,
                port=self.port,
                # nginx refuses a group without a server.
                targets=servers or f"server {LOOPBACK}:{self.port} down;",
                target="proxy_pass http://targets;" if servers else "return 503;",
                idle=idle_s,
            )
        )
        return conf
