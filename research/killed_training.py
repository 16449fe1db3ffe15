"""``python -m research.killed_training DATASET [--limit N] [--epochs N]``: kill a training at six moments, repeat its
command each time, and compare the figures with those of a training that was never stopped.

DATASET is in SCIN's layout, as ``python -m scin import`` writes it. The exit status is 0 if the training ends, its
report counts the kills, and no figure differs by more than .005.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: where the training is killed: the stage that it shows, and the part of the stage that is done
MOMENTS = (("photos", 0.5), ("embed", 0.3), ("train", 0.2), ("train", 0.5), ("answer again", 0.0), ("write", 0.0))
TOLERANCE = 0.005
_SHOWN = re.compile(r"^(?P<stage>[a-z ]+): (?P<done>\d+)/(?P<total>\d+)")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m research.killed_training", description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--limit", type=int, default=120)
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        whole, killed = Path(temporary, "whole"), Path(temporary, "killed")
        _train(options, whole).communicate()
        for stage, part in MOMENTS:
            print(f"killed at {_kill(_train(options, killed), stage, part)}")
        _train(options, killed).communicate()
        return _compare(_report(whole), _report(killed))


def _train(options: argparse.Namespace, out: Path) -> subprocess.Popen[str]:
    """Start the training into ``out``, or continue it."""
    chosen = ["--limit", str(options.limit), "--epochs", str(options.epochs)]
    command = [sys.executable, "-m", "scin", "train", "--source", str(options.dataset), "--out", str(out), *chosen]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _kill(process: subprocess.Popen[str], stage: str, part: float) -> str:
    """Kill the training (SIGKILL) when it has shown this part of the stage. Returns the line that it showed."""
    assert process.stderr is not None
    with process:
        for line in process.stderr:
            shown = _SHOWN.match(line)
            if shown and shown["stage"] == stage and int(shown["done"]) >= part * int(shown["total"]):
                process.kill()
                return line.strip()
    raise SystemExit(f"The training ended with status {process.returncode} before {stage}.")


def _report(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "training.json").read_text(encoding="utf-8")))


def _compare(whole: dict[str, Any], killed: dict[str, Any]) -> int:
    """Print the figures of both. Returns the exit status."""
    print(f"resumed {killed['resumed']} times; {whole['seconds']} s without kills, {killed['seconds']} s with them")
    pairs = dict(_numbers(whole)), dict(_numbers(killed))
    if pairs[0].keys() != pairs[1].keys():
        print("the reports have different figures")
        return 1
    largest = 0.0
    for name, value in pairs[0].items():
        largest = max(largest, abs(value - pairs[1][name]))
        if name.endswith("value") or name.startswith(("scores", "losses")):
            print(f"{name}: {value:.4f} and {pairs[1][name]:.4f}")
    print(f"largest difference of {len(pairs[0])} figures: {largest:.6f}")
    return int(killed["resumed"] != len(MOMENTS) or largest > TOLERANCE)


def _numbers(report: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for group in ("scores", "losses", "comparison"):
        yield from _flat(group, report[group])


def _flat(name: str, value: Any) -> Iterator[tuple[str, float]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _flat(f"{name} {key}", inner)
    if isinstance(value, int | float):
        yield name, float(value)


if __name__ == "__main__":
    sys.exit(main())
