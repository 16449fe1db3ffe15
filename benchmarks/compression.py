"""``python -m benchmarks.compression URL PHOTO…``: what compressing the answers of a running service saves and costs.

Prints the bytes of each answer, and the median CPU time of compressing it, at the levels that the service uses.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

import brotli
import requests
from backports import zstd

_REPEATS = 100
_TIMEOUT_S = 300
#: the default levels of flask-compress; the service does not use Brotli
_COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 6),
    "zstd": lambda data: zstd.compress(data, 3),
    "brotli": lambda data: brotli.compress(data, quality=4),
}
_ANALYSES = ({"detail": "standard"}, {"detail": "full"}, {"detail": "full", "explain": "true"})
_CATALOGUES = ("/api/conditions", "/api/measures", "/api/openapi.json", "/api/docs")


def fetch(url: str, photo: bytes | None = None) -> bytes:
    """The body of an answer, uncompressed. Raises HTTPError for an error."""
    headers = {"Accept-Encoding": "identity"}
    if photo is None:
        answer = requests.get(url, headers=headers, timeout=_TIMEOUT_S)
    else:
        answer = requests.post(url, data=photo, headers=headers | {"Content-Type": "image/jpeg"}, timeout=_TIMEOUT_S)
    answer.raise_for_status()
    return answer.content


def cpu_ms(action: Callable[[], object]) -> float:
    """The median CPU time of ``action`` in this thread, in milliseconds."""
    times = []
    for _ in range(_REPEATS):
        began = time.thread_time()
        action()
        times.append(time.thread_time() - began)
    return median(times) * 1e3


def row(name: str, data: bytes) -> str:
    cells = [f"{name:45}", f"{len(data):8}"]
    for compress in _COMPRESS.values():
        cells += [f"{len(compress(data)):9}", f"{cpu_ms(lambda compress=compress: compress(data)):9.2f}"]  # type: ignore[misc]
    return " ".join(cells)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="address of the service, such as http://127.0.0.1:8000")
    parser.add_argument("photos", nargs="+", type=Path, help="JPEG files")
    chosen = parser.parse_args(arguments)
    url = chosen.url.rstrip("/")
    heads = (f"{one} {unit}" for one in _COMPRESS for unit in ("B", "ms"))
    print(f"{'answer':45} {'plain B':>8} " + " ".join(f"{head:>9}" for head in heads))
    for photo in chosen.photos:
        for fields in _ANALYSES:
            query = urlencode(fields)
            print(row(f"{photo.name} {query}", fetch(f"{url}/api/analyze/skin?{query}", photo.read_bytes())))
    for path in _CATALOGUES:
        print(row(path, fetch(url + path)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
