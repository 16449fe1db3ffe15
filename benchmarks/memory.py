"""``python -m benchmarks.memory``: the memory of each stage for a large photo, and what two workers hold.

First part: a photo as large as any format allows, in every format, each in a process of its own: by how many MiB each
stage lets the process grow at its highest (``--skip stages`` leaves it out). Second part: the real service with two
workers, each given photos; resident, proportional and private memory of each, the time to ready, and the CPU it uses
while it idles. ``--mmap both`` runs that twice, with DERMSERVE_MMAP=true and false, and prints the
ratio of private memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.make_large_photos import MEGAPIXELS
from benchmarks.workers import Holding, hold

_MARK = "measured "
TARGET = 0.40  #: of the private memory without memory-mapping


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if "stages" not in options.skip:
        with tempfile.TemporaryDirectory(prefix="dermserve-memory-") as folder:
            measure_stages(Path(folder), options.megapixels)
    if "service" not in options.skip:
        measure_service(options)
    return 0


def measure_stages(folder: Path, megapixels: float) -> None:
    """Print a table: a row for each format, a column for each stage."""
    made = ["benchmarks.make_large_photos", str(folder), "--megapixels", str(megapixels)]
    subprocess.run([sys.executable, "-m", *made], check=True)
    names: list[str] = []
    for path in sorted(folder.iterdir()):
        peaks = _probe(path)
        if not names:
            names = list(peaks)
            print(f"MiB that the process grew by at its highest, {megapixels:g} megapixels")
            print(f"{'':18}" + "".join(f"{name:>24}" for name in names))
        print(f"{path.name:18}" + "".join(f"{peaks[name]:24.0f}" for name in names), flush=True)


def _probe(photo: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.memory_probe", str(photo)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    line = next(text for text in said.splitlines() if text.startswith(_MARK))
    return {name: float(value) for name, value in json.loads(line.removeprefix(_MARK)).items()}


def measure_service(options: argparse.Namespace) -> None:
    """Print what two workers hold; with ``--mmap both``, the ratio as well."""
    settings = {"DERMSERVE_INDEX": options.index} if options.index else {}
    if options.engine:
        settings["DERMSERVE_ENGINE"] = options.engine
    kinds = {"on": ("true",), "off": ("false",), "both": ("true", "false")}[options.mmap]
    held: dict[str, Holding] = {}
    for mapped in kinds:
        held[mapped] = hold(options.photos, {**settings, "DERMSERVE_MMAP": mapped}, options.idle_seconds)
        _tell(f"DERMSERVE_MMAP={mapped}", held[mapped])
    if len(held) == 2:
        ratio = held["true"].second_private_mb / held["false"].second_private_mb
        print(f"second worker's private memory, mapped over not: {ratio:.2f} (target: at most {TARGET})")


def _tell(title: str, held: Holding) -> None:
    print(f"{title}: ready in {held.ready_s:.1f} s, {held.idle_cores:.2%} of a core while idle; {held.engines}")
    print(f"{'':10} {'RSS':>8} {'PSS':>8} {'USS':>8}  MiB")
    for number, worker in enumerate(held.workers, start=1):
        print(f"worker {number:<3} {worker.rss_mb:8.0f} {worker.pss_mb:8.0f} {worker.uss_mb:8.0f}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, nargs="*", help="what the service is given (default: made ones)")
    parser.add_argument("--skip", nargs="*", choices=("stages", "service"), default=[])
    parser.add_argument("--megapixels", type=float, default=MEGAPIXELS)
    parser.add_argument("--mmap", choices=("on", "off", "both"), default="on")
    parser.add_argument("--engine", help="DERMSERVE_ENGINE")
    parser.add_argument("--index", help="DERMSERVE_INDEX; python -m benchmarks.large_index makes one of any size")
    parser.add_argument("--idle-seconds", type=float, default=10.0)
    return parser


if __name__ == "__main__":
    sys.exit(main())
