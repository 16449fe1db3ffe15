"""``python -m benchmarks.memory stages | service | large``: what photos cost in memory.

``stages``: a photo as large as any format allows, in every format, each in a process of its own: by how many MiB each
stage lets the process grow at its highest. ``service``: the real service with two workers, each given photos: resident,
proportional and private memory of each, the time to ready, and the CPU that it uses while it is idle; ``--mmap both``
runs that twice, with DERMSERVE_MMAP=true and false, and prints the ratio of private memory. ``large``: for made photos
of 12 to 200 megapixels, the status, the highest resident memory of a worker, and the seconds of the request.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
import requests

from benchmarks.load import ANALYZE
from benchmarks.photos import MEGAPIXELS, make_photo
from benchmarks.service import Service, service

_T = TypeVar("_T")
_MIB = 2**20
_MARK = "measured "
#: the most private memory of the second worker, over that without memory-mapping
TARGET_MAPPED = 0.40
#: the hard limit for a worker, MiB
TARGET_LARGE = 700
_AT_ONCE = 4  # more than one worker takes, so that both get some
_ROUNDS = (5, 30)  # least and most, until both workers have worked
_WORKED_S = 0.5
_SETTLE_S = 2.0
_ONE_WORKER = {"GUNICORN_WORKERS": "1", "MAX_WORKERS": "1", "DERMSERVE_MAX_UPLOAD_MB": "200"}
_JPEGS = ("photo.jpg", "progressive.jpg")
_OTHERS = ("photo.png", "transparent.png", "photo.heic", "photo.avif", "photo.webp", "photo.tif")
_LARGE: dict[float, tuple[str, ...]] = {
    12: _JPEGS,
    48: _JPEGS,
    90: ("progressive.jpg",),
    108: _JPEGS,
    200: _JPEGS,
    63.9: _OTHERS,
}


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.what == "probe":
        _probe(options.photos[0])
        return 0
    with tempfile.TemporaryDirectory(prefix="dermserve-memory-") as folder:
        if options.what == "stages":
            measure_stages(Path(folder), options.megapixels)
        elif options.what == "large":
            measure_large(options.folder or Path(folder))
        else:
            measure_service(options)
    return 0


def measure_stages(folder: Path, megapixels: float) -> None:
    """Print a table: a row for each format, a column for each stage."""
    _make_large(folder, megapixels)
    names: list[str] = []
    for path in sorted(folder.iterdir()):
        said = subprocess.check_output([sys.executable, "-m", "benchmarks.memory", "probe", str(path)], text=True)
        line = next(text for text in said.splitlines() if text.startswith(_MARK))
        peaks: dict[str, float] = json.loads(line.removeprefix(_MARK))
        if not names:
            names = list(peaks)
            print(f"MiB that the process grew by at its highest, {megapixels:g} megapixels")
            print(f"{'':18}" + "".join(f"{name:>24}" for name in names))
        print(f"{path.name:18}" + "".join(f"{peaks[name]:24.0f}" for name in names), flush=True)


def _probe(path: Path) -> None:
    """The memory that each stage takes for one file, as JSON.

    Python's own tracing does not see what libraries allocate; the kernel's high-water mark does.
    """
    from ml.imaging.decode import decode
    from ml.models import registry
    from ml.models.preprocess import to_batch
    from ml.skin.frame import Frame, Subject
    from ml.skin.measure import measure_skin
    from server.memory import use_one_heap
    from settings import Settings

    use_one_heap()
    settings = Settings.load()
    data = path.read_bytes()
    peaks: dict[str, float] = {"file": len(data) / _MIB}
    photo = _peak("decode", peaks, lambda: decode(data))
    for name, kind in ((settings.building_encoder, "encoder"), (settings.classifier, "classifier")):
        spec = registry.find(name, kind).preprocess
        _peak(f"preprocess ({kind})", peaks, lambda spec=spec: to_batch([photo.rgb], spec))  # type: ignore[misc]
    frame = Frame(photo.rgb)
    _peak("working copy", peaks, lambda: frame.copy)
    _peak("measure", peaks, lambda: measure_skin(Subject(frame)))
    print(f"{_MARK}{json.dumps(peaks)}")


def _peak(name: str, peaks: dict[str, float], action: Callable[[], _T]) -> _T:
    """Run ``action`` and note by how many MiB the process grew at its highest."""
    ctypes.CDLL(None).malloc_trim(0)
    _reset_peak("self")
    before = _status("self", "VmRSS:")
    result = action()
    peaks[name] = max(0.0, _status("self", "VmHWM:") - before)
    return result


def measure_service(options: argparse.Namespace) -> None:
    """Print what two workers hold; with ``--mmap both``, the ratio as well."""
    settings = {"DERMSERVE_INDEX": options.index} if options.index else {}
    if options.engine:
        settings["DERMSERVE_ENGINE"] = options.engine
    kinds = {"on": ("true",), "off": ("false",), "both": ("true", "false")}[options.mmap]
    private: list[float] = []
    for mapped in kinds:
        with service({**settings, "DERMSERVE_MMAP": mapped}) as running:
            held = _held(running, options.photos, options.idle_seconds)
        print(f"DERMSERVE_MMAP={mapped}: ready in {running.ready_s:.1f} s, {held.idle_cores:.2%} of a core while idle")
        print(f"{held.engines}\n{'':10} {'RSS':>8} {'PSS':>8} {'USS':>8}  MiB")
        for number, worker in enumerate(held.workers, start=1):
            print(f"worker {number:<3} " + " ".join(f"{size / _MIB:8.0f}" for size in worker))
        # the lower of the two, as the other may hold more by chance
        private.append(min(uss for _, _, uss in held.workers))
    if len(private) == 2:
        ratio = private[0] / private[1]
        print(f"second worker's private memory, mapped over not: {ratio:.2f} (target: at most {TARGET_MAPPED})")


@dataclass(frozen=True)
class _Held:
    """``workers``: bytes resident, with shared pages divided among those who share them, and private."""

    workers: tuple[tuple[int, int, int], ...]
    idle_cores: float
    engines: str


def _held(running: Service, photos: Sequence[Path], idle_s: float) -> _Held:
    workers = running.workers()
    sent = [photo.read_bytes() for photo in photos] or [make_photo(n, *size) for n, size in enumerate(_SIZES)]
    engines = _work(running.url, sent, workers)
    time.sleep(_SETTLE_S)
    idle_cores = running.cores_used(idle_s)
    memory = [worker.memory_full_info() for worker in workers]
    return _Held(tuple((one.rss, one.pss, one.uss) for one in memory), idle_cores, engines)


#: of the photos that the service is given: 1, 2 and 8 megapixels
_SIZES = ((1152, 864), (1632, 1224), (3264, 2448))


def _work(url: str, photos: Sequence[bytes], workers: Sequence[psutil.Process]) -> str:
    """Send rounds of photos until both workers have had some; returns the engines that the answers name."""

    def analyse(photo: bytes) -> str:
        answer = requests.post(url + ANALYZE, files={"image": photo}, data={"detail": "full"}, timeout=120)
        answer.raise_for_status()
        return ", ".join(model["engine"] for model in answer.json()["models"])

    before = [_cpu_s(worker) for worker in workers]
    for done in range(_ROUNDS[1]):
        with ThreadPoolExecutor(_AT_ONCE) as clients:
            batch = [photos[(done * _AT_ONCE + number) % len(photos)] for number in range(_AT_ONCE)]
            engines = list(clients.map(analyse, batch))
        worked = [_cpu_s(worker) - start for worker, start in zip(workers, before, strict=True)]
        if done + 1 >= _ROUNDS[0] and min(worked) > _WORKED_S:
            return engines[0]
    raise SystemExit("one of the workers was never given a photo")


def _cpu_s(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def measure_large(folder: Path) -> None:
    """Send each photo to a service with one worker, the smallest first as a warm-up, and print what it took."""
    photos = [_large(folder, megapixels, name) for megapixels, names in _LARGE.items() for name in names]
    with service(_ONE_WORKER) as running:
        worker = str(running.workers()[0].pid)
        _send(running.url, photos[0])
        print(f"{'photo':26}{'file MiB':>10}{'status':>22}{'peak MiB':>10}{'seconds':>9}")
        for photo in photos:
            _reset_peak(worker)
            started = time.perf_counter()
            status = _send(running.url, photo)
            seconds, peak = time.perf_counter() - started, _status(worker, "VmHWM:")
            name, mib = f"{photo.parent.name} {photo.name}", photo.stat().st_size / _MIB
            row = f"{name:26}{mib:10.1f}{status:>22}{peak:10.0f}{seconds:9.2f}"
            print(row + ("  too much" if peak > TARGET_LARGE else ""), flush=True)


def _large(folder: Path, megapixels: float, name: str) -> Path:
    """The photo, made if it is not in ``folder``."""
    photo = folder / f"{megapixels:g}-MP" / name
    if not photo.exists():
        photo.parent.mkdir(parents=True, exist_ok=True)
        _make_large(photo.parent, megapixels, "--only", name)
    return photo


def _make_large(folder: Path, megapixels: float, *more: str) -> None:
    command = [sys.executable, "-m", "benchmarks.photos", str(folder), "--megapixels", str(megapixels), *more]
    subprocess.run(command, check=True)


def _send(url: str, photo: Path) -> str:
    with photo.open("rb") as file:
        answer = requests.post(url + ANALYZE, files={"image": file}, timeout=300)
    error: dict[str, Any] = answer.json().get("error") or {}
    return f"{answer.status_code} {error.get('code', '')}".strip()


def _reset_peak(process: str) -> None:
    """Let the kernel's high-water mark of the process's memory start again from here."""
    Path(f"/proc/{process}/clear_refs").write_text("5")


def _status(process: str, field: str) -> float:
    """One of the sizes in the process's status, in MiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field))) / 1024


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("stages", "service", "large", "probe"), metavar="stages | service | large")
    parser.add_argument("photos", type=Path, nargs="*", help="service: what it is given (default: made ones)")
    parser.add_argument("--megapixels", type=float, default=MEGAPIXELS, help="stages: of each photo")
    parser.add_argument("--mmap", choices=("on", "off", "both"), default="on")
    parser.add_argument("--engine", help="service: DERMSERVE_ENGINE")
    parser.add_argument("--index", help="service: DERMSERVE_INDEX (benchmarks.index_search --make: of any size)")
    parser.add_argument("--idle-seconds", type=float, default=10.0)
    parser.add_argument("--folder", type=Path, help="large: where the photos are kept")
    return parser


if __name__ == "__main__":
    sys.exit(main())
