"""``python -m benchmarks.saturation PHOTO --slots N``: how much CPU the service reads when every place is taken.

Starts the service with MAX_WORKERS=N, keeps more clients than places busy, prints the cores that its processes used.
An autoscaling trigger on CPU must lie below what is printed, or it never fires: see docs/operations.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import requests

_READY = "DermServe is ready at "


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--slots", type=int, default=1, help="analyses at once (MAX_WORKERS)")
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args(arguments)
    environment = {**os.environ, "MAX_WORKERS": str(options.slots), "GUNICORN_WORKERS": "1", "PORT": "0"}
    command = [
        str(Path(sys.executable).with_name("gunicorn")),
        "--config",
        "gunicorn.conf.py",
        "application:application",
    ]
    service = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        url = next(line for line in service.stderr or () if line.startswith(_READY)).removeprefix(_READY).split()[0]
        done, busy = _saturate(url, service.pid, options)
    finally:
        service.terminate()
        service.wait()
    print(f"{options.slots} at once: {done / options.seconds:.1f} analyses/s, {busy:.2f} cores busy, ", end="")
    print(f"{busy / options.slots:.2f} a place; {busy / (psutil.cpu_count() or 1):.0%} of this machine")
    return 0


def _saturate(url: str, pid: int, options: argparse.Namespace) -> tuple[int, float]:
    """Analyses answered, and cores that the service used on average."""
    photo = options.photo.read_bytes()
    stop = time.monotonic() + options.seconds
    answered: list[int] = []

    def client() -> None:
        with requests.Session() as session:
            while time.monotonic() < stop:
                response = session.post(f"{url}/api/analyze/skin", files={"image": photo}, timeout=60)
                answered.append(response.status_code)

    clients = [threading.Thread(target=client) for _ in range(options.slots + 1)]
    before, started = _cpu_seconds(pid), time.monotonic()
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    busy = (_cpu_seconds(pid) - before) / (time.monotonic() - started)
    return answered.count(200), busy


def _cpu_seconds(pid: int) -> float:
    parent = psutil.Process(pid)
    times = [process.cpu_times() for process in (parent, *parent.children(recursive=True))]
    return float(sum(used.user + used.system for used in times))


if __name__ == "__main__":
    sys.exit(main())
