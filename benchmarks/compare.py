"""``python -m benchmarks.compare ARM …``: this service as it is, and changed, under the same load in turns.

An arm is a list of settings such as ``GUNICORN_WORKERS=1,GUNICORN_THREADS=4``, or the folder of another
checkout: so two commits are compared. All services run at once, and each is idle while another has its turn. In each
round every service gets, in a random order: ``CLIENTS`` clients with a connection for each request, as nginx makes
them; as many clients with kept connections; and ``OVERLOAD`` times the rate that this service answered at first, in an
open loop. Printed are medians over the rounds, and for each arm the ratio to this service, the mean over the rounds
with its interval of 95 %: an effect whose interval holds 1 has not been shown.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.load import ANALYZE, Job, in_own_process
from benchmarks.photos import write_photos
from benchmarks.service import ROOT, Service, service

CLIENTS = 8
OVERLOAD = 4.0
_BASE = "as it is"
_REST_S = 15.0
_CLIENT_S = 60.0
#: load → the numbers that are compared: of these, less is better where the name begins with p
_LOADS = {
    "clients": ("ok_per_s", "p99_s"),
    "clients, kept connections": ("ok_per_s", "p99_s"),
    "overload": ("goodput_per_s", "p99_s"),
}
_COLUMNS = ("load", "number", "arm", "median", "ratio", "95 % interval")

Results = dict[tuple[str, str], list[dict[str, Any]]]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arms", nargs="*", metavar="ARM", help="NAME=VALUE[,NAME=VALUE…] or a checkout's folder")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load; the first second is left out")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="dermserve-compare-") as folder, ExitStack() as stack:
        photos = [str(path) for path in write_photos(Path(folder))]
        arms = {arm: stack.enter_context(_start(arm)) for arm in (_BASE, *options.arms)}
        results = take_turns(arms, photos, options)
    print("\n".join(table(results, list(arms))))
    return 0


def _start(arm: str) -> Any:
    if "=" in arm:
        return service(dict(one.split("=", 1) for one in arm.split(",")))
    return service({}, tree=ROOT if arm == _BASE else Path(arm).resolve())


def take_turns(arms: dict[str, Service], photos: list[str], options: argparse.Namespace) -> Results:
    """(load, arm) → a summary for each round."""
    order = random.Random(options.seed)  # noqa: S311 - the order of turns
    for one in arms.values():
        limit = _measure(one, Job(one.url, ANALYZE, photos, 4.0, clients=CLIENTS))["ok_per_s"]
    results: Results = {(load, arm): [] for load in _LOADS for arm in arms}
    for number in range(options.rounds):
        jobs = {
            "clients": {"clients": CLIENTS, "keep": False},
            "clients, kept connections": {"clients": CLIENTS},
            "overload": {"rate": OVERLOAD * limit, "seed": options.seed + number, "keep": False},
        }
        for arm in order.sample(list(arms), len(arms)):
            for load, chosen in jobs.items():
                job = Job(arms[arm].url, ANALYZE, photos, options.seconds, **chosen)
                results[load, arm].append(_measure(arms[arm], job))
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    return results


def _measure(running: Service, job: Job) -> dict[str, Any]:
    """One measurement by a client in a process of its own; then wait until the service is idle."""
    before = running.cpu_seconds()
    result = in_own_process(job, _CLIENT_S)
    result["cores"] = (running.cpu_seconds() - before) / result["elapsed_s"]
    running.wait_idle(_REST_S)
    return result


def table(results: Results, arms: Sequence[str]) -> list[str]:
    """Markdown."""
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
    for load, numbers in _LOADS.items():
        for number in numbers:
            base = [one[number] or math.nan for one in results[load, arms[0]]]
            for arm in arms:
                found = [one[number] or math.nan for one in results[load, arm]]
                mean, low, high = ratio(found, base)
                against = f"{mean:.3f} | {low:.3f} to {high:.3f}" if arm != arms[0] else " | "
                lines.append(f"| {load} | {number} | {arm} | {median(found):.3g} | {against} |")
    for arm in arms:
        runs = [one for load in _LOADS for one in results[load, arm]]
        unwanted = sum(n for run in runs for status, n in run["statuses"].items() if status not in ("200", "503"))
        unwanted += sum(sum(run["problems"].values()) + run["503_without_retry_after"] for run in runs)
        cores = median(run["cores"] for run in results["clients", arm])
        share = cores / (os.cpu_count() or 1)
        lines.append(f"{arm}: {cores:.2f} cores ({share:.0%} of this machine) are busy with {CLIENTS} clients")
        lines.append(f"{arm}: {unwanted} requests were lost, or answered with another status than 200 and 503")
    return lines


def ratio(found: Sequence[float], base: Sequence[float]) -> tuple[float, float, float]:
    """The geometric mean of found ÷ base over the rounds, and its 95 % interval (Student's t of the logarithms)."""
    logs = np.log(np.asarray(found) / np.asarray(base))
    half = stats.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / len(logs) ** 0.5 if len(logs) > 1 else np.inf
    return float(np.exp(logs.mean())), float(np.exp(logs.mean() - half)), float(np.exp(logs.mean() + half))


if __name__ == "__main__":
    sys.exit(main())
