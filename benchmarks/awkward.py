"""``python -m benchmarks.awkward URL FOLDER``: every file of a folder, whatever it is, sent to a running service.

Prints how many got which status, the slowest, and by how much the workers' memory grew (from the service's metrics).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

_MEMORY = "dermserve_worker_resident_bytes"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    before = _memory(options.url)
    statuses: Counter[int] = Counter()
    slowest = 0.0
    for path in sorted(path for path in options.folder.iterdir() if path.is_file()):
        started = time.perf_counter()
        answer = requests.post(f"{options.url}/api/analyze/skin", files={"image": path.read_bytes()}, timeout=60)
        slowest = max(slowest, time.perf_counter() - started)
        statuses[answer.status_code] += 1
    after = _memory(options.url)
    growth = max(after[worker] - before.get(worker, 0.0) for worker in after) / 2**20
    print(f"{dict(sorted(statuses.items()))}; slowest {slowest:.2f} s; the worker that grew most: {growth:.0f} MiB")
    print("same workers" if after.keys() == before.keys() else "a worker was replaced")
    return 0


def _memory(url: str) -> dict[str, float]:
    page = requests.get(f"{url}/metrics", timeout=30).text
    families = {family.name: family for family in text_string_to_metric_families(page)}
    return {sample.labels["pid"]: sample.value for sample in families[_MEMORY].samples}


if __name__ == "__main__":
    sys.exit(main())
