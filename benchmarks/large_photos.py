"""``python -m benchmarks.large_photos``: what large photos cost a worker of the real service.

Prints, for each made photo, the status, the highest resident memory of the worker in MiB, and the seconds of the
request. The photos are made anew unless ``--folder`` names those of an earlier run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import requests

from benchmarks.workers import service

#: the hard limit for a worker, MiB
TARGET = 700
_ONE_WORKER = {"GUNICORN_WORKERS": "1", "MAX_WORKERS": "1", "DERMSERVE_MAX_UPLOAD_MB": "200"}
_JPEGS = ("photo.jpg", "progressive.jpg")
_OTHERS = ("photo.png", "transparent.png", "photo.heic", "photo.avif", "photo.webp", "photo.tif")
_SIZES: dict[float, tuple[str, ...]] = {
    12: _JPEGS,
    48: _JPEGS,
    90: ("progressive.jpg",),
    108: _JPEGS,
    200: _JPEGS,
    63.9: _OTHERS,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where the photos are kept")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="dermserve-large-") as temporary:
        folder = options.folder or Path(temporary)
        photos = [_made(folder, megapixels, name) for megapixels, names in _SIZES.items() for name in names]
        measure(photos)
    return 0


def measure(photos: list[Path]) -> None:
    """Send each photo to a service with one worker, the smallest first as a warm-up, and print what it took."""
    with service(_ONE_WORKER) as (url, process):
        worker = psutil.Process(process.pid).children()[0].pid
        _send(url, photos[0])
        print(f"{'photo':26}{'file MiB':>10}{'status':>22}{'peak MiB':>10}{'seconds':>9}")
        for photo in photos:
            Path(f"/proc/{worker}/clear_refs").write_text("5")  # the high-water mark starts again from here
            started = time.perf_counter()
            status = _send(url, photo)
            seconds, peak = time.perf_counter() - started, _peak_mib(worker)
            name, mib = f"{photo.parent.name} {photo.name}", photo.stat().st_size / 2**20
            told = f"{name:26}{mib:10.1f}{status:>22}{peak:10.0f}{seconds:9.2f}"
            print(told + ("  too much" if peak > TARGET else ""), flush=True)


def _made(folder: Path, megapixels: float, name: str) -> Path:
    """The photo, made in a process of its own: Pillow's encoders take much memory."""
    photo = folder / f"{megapixels:g}-MP" / name
    if not photo.exists():
        photo.parent.mkdir(parents=True, exist_ok=True)
        wanted = ["--megapixels", str(megapixels), "--only", name]
        command = [sys.executable, "-m", "benchmarks.make_large_photos", str(photo.parent), *wanted]
        subprocess.run(command, check=True)
    return photo


def _send(url: str, photo: Path) -> str:
    with photo.open("rb") as file:
        answer = requests.post(f"{url}/api/analyze/skin", files={"image": file}, timeout=300)
    error = answer.json().get("error") or {}
    return f"{answer.status_code}" + (f" {error['code']}" if error else "")


def _peak_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM:"))) / 1024


if __name__ == "__main__":
    sys.exit(main())
