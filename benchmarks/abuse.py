"""``python -m benchmarks.abuse``: does an honest client get its analysis while others misbehave?

The real service behind the real nginx, for a minute: wrong keys three times a second, each with a whole photo; fifty
uploads of one byte a second; and bodies of 100 MB, one after the other, from somebody who has a right key. The honest
client sends a photo every second and waits as it is told to. Prints the median and the longest time until it had its
analysis, retries included; fails if one took more than 5 s.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import requests

from benchmarks.peers.photos import make_photo
from benchmarks.peers.processes import ProcessGroup, answers, free_port
from deploy.proxy import stage_proxy

ROOT = Path(__file__).resolve().parent.parent
KEY, OTHER_KEY = "an-honest-client-s-key", "a-careless-client-s-key"
_PATH = "/api/analyze/skin"
_SLOW_UPLOADS = 50
_WRONG_KEYS_PER_S = 3
_LARGE_BYTES = 100 * 2**20
_MOST_S = 5.0
_GIVES_UP_S = 120.0
_START_S = 60.0


@dataclass
class Report:
    """``took_s``: until the honest client had each analysis. Counters are of statuses; -1: no answer came."""

    took_s: list[float] = field(default_factory=list)
    honest: Counter[int] = field(default_factory=Counter)
    wrong_keys: Counter[int] = field(default_factory=Counter)
    large: Counter[int] = field(default_factory=Counter)
    slow_uploads: int = 0

    def lines(self) -> list[str]:
        """What is printed."""
        return [
            f"{self.slow_uploads} slow uploads; wrong keys: {_told(self.wrong_keys)}; 100 MB: {_told(self.large)}",
            f"honest client: {_told(self.honest)}",
            f"time until the analysis, retries included: median {median(self.took_s):.2f} s, "
            f"longest {max(self.took_s):.2f} s of {len(self.took_s)}",
        ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.abuse", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, guarded_service(Path(folder)) as port:
        report = abuse(port, options.seconds)
    for line in report.lines():
        print(line)
    return int(max(report.took_s) > _MOST_S)


@contextmanager
def guarded_service(folder: Path, nginx: str = "") -> Iterator[int]:
    """The service with two keys behind nginx; yields nginx's port."""
    upstream, listen = free_port(), free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "DERMSERVE_VAR": os.environ.get("DERMSERVE_VAR", str(ROOT / "var")),
        "PORT": str(upstream),
        "DERMSERVE_API_KEYS": f"{KEY},{OTHER_KEY}",
        "DERMSERVE_PROXIES": "1",
        "DERMSERVE_STOP_DELAY_S": "0",
        "PYTHONPATH": str(ROOT),
    }
    gunicorn = str(Path(sys.executable).with_name("gunicorn"))
    command = [gunicorn, "--chdir", str(ROOT), "--config", str(ROOT / "gunicorn.conf.py"), "application:application"]
    conf = stage_proxy(folder, ROOT, listen=listen, upstream=upstream)
    nginx = nginx or shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or "nginx"
    service = ProcessGroup(command, environment, folder / "service.log")
    proxy = subprocess.Popen([nginx, "-c", str(conf), "-p", str(conf.parent), "-g", "daemon off;"])
    try:
        service.wait_ready(f"http://127.0.0.1:{upstream}/health/ready")
        _wait(lambda: answers(f"http://127.0.0.1:{listen}/health"))
        yield listen
    finally:
        proxy.terminate()
        proxy.wait()
        service.stop()


def abuse(port: int, seconds: float) -> Report:
    """Misbehave in every way at once, and be honest meanwhile."""
    report, stop = Report(), threading.Event()
    photo = make_photo(1)
    roles = [lambda: _guess_keys(port, photo, report, stop), lambda: _send_large(port, report, stop)]
    roles += [lambda: _trickle(port, report, stop)] * _SLOW_UPLOADS
    threads = [threading.Thread(target=role, daemon=True) for role in roles]
    for thread in threads:
        thread.start()
    _wait(lambda: report.slow_uploads >= _SLOW_UPLOADS and report.wrong_keys)
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            _ask_honestly(port, photo, report)
            stop.wait(1)
    finally:
        stop.set()
        for thread in threads:
            thread.join(_GIVES_UP_S)
    return report


def _ask_honestly(port: int, photo: bytes, report: Report) -> None:
    """One analysis, asked for again when told to."""
    began = time.monotonic()
    while True:
        status, retry_after_s = _post(port, photo, KEY)
        report.honest[status] += 1
        if status == 200 or time.monotonic() - began > _GIVES_UP_S:
            report.took_s.append(time.monotonic() - began)
            return
        time.sleep(retry_after_s)


def _guess_keys(port: int, photo: bytes, report: Report, stop: threading.Event) -> None:
    number = 0
    while not stop.is_set():
        due = time.monotonic() + 1 / _WRONG_KEYS_PER_S
        report.wrong_keys[_post(port, photo, f"a-guess-that-is-wrong-{number}")[0]] += 1
        number += 1
        stop.wait(max(0.0, due - time.monotonic()))


def _send_large(port: int, report: Report, stop: threading.Event) -> None:
    body = b"\xff\xd8\xff\xe0" + bytes(_LARGE_BYTES - 4)
    while not stop.is_set():
        report.large[_post(port, body, OTHER_KEY)[0]] += 1


def _post(port: int, body: bytes, key: str) -> tuple[int, float]:
    """The status, and the seconds to wait before asking again."""
    headers = {"Content-Type": "image/jpeg", "X-API-Key": key}
    try:
        response = requests.post(f"http://127.0.0.1:{port}{_PATH}", body, headers=headers, timeout=_GIVES_UP_S)
    except requests.RequestException:
        return -1, 1.0
    return response.status_code, float(response.headers.get("Retry-After", 1))


def _trickle(port: int, report: Report, stop: threading.Event) -> None:
    """One upload that never ends."""
    head = f"POST {_PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: 500000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(head.encode())
        report.slow_uploads += 1
        while not stop.wait(1):
            try:
                sock.sendall(b"x")
            except OSError:
                return


def _told(counts: Counter[int]) -> str:
    return ", ".join(f"{count} × {status}" for status, count in sorted(counts.items())) or "none"


def _wait(holds: Callable[[], object]) -> None:
    end = time.monotonic() + _START_S
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("the service or its clients did not start")
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
