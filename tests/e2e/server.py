"""Starts and stops the service as its users do, and waits by reading what it says, never by sleeping."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import requests
from PIL import Image
from scipy import ndimage

REPOSITORY = Path(__file__).resolve().parents[2]
ANALYZE = "/api/analyze/skin"
_READY_LINE = "DermServe is ready at "
_START_S = 180


@dataclass
class Server:
    """A started service. ``log`` is what it wrote on standard output."""

    process: subprocess.Popen[str]
    log: Path
    url: str = ""
    said: list[str] = field(default_factory=list)
    reader: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self._keep_reading, daemon=True)

    def post(self, **arguments: object) -> requests.Response:
        """POST to the analysis, with requests' own arguments."""
        return requests.post(self.url + ANALYZE, timeout=120, **arguments)  # type: ignore[arg-type]

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=60)

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def wait_ready(self) -> None:
        """Read until the ready line; a service that never says it is ended, and the test fails with what it said."""
        alarm = threading.Timer(_START_S, self.process.kill)
        alarm.start()
        try:
            for line in self.process.stderr or ():
                self.said.append(line)
                if line.startswith(_READY_LINE):
                    self.url = line.removeprefix(_READY_LINE).split()[0]
                    return
        finally:
            alarm.cancel()
        raise AssertionError("the service did not become ready:\n" + "".join(self.said[-20:]))

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        if self.reader.ident is not None:
            self.reader.join()
        if self.process.stderr is not None:
            self.process.stderr.close()
        return status

    def _keep_reading(self) -> None:
        """Until the end, so that a full pipe never stops the service."""
        for line in self.process.stderr or ():
            self.said.append(line)


def start(
    var: Path,
    folder: Path,
    settings: Mapping[str, str] | None = None,
    application: str = "application:application",
    *,
    under: Sequence[str] = (),
) -> Server:
    """Start gunicorn on a free port; does not wait. ``under`` is a command that becomes the one that follows it."""
    log = folder / "stdout.log"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "DERMSERVE_VAR": str(var),
        "PORT": "0",
        "DERMSERVE_STOP_DELAY_S": "0",
        "DERMSERVE_INDEX": "sample",
        **(settings or {}),
    }
    command = [
        *under,
        str(Path(sys.executable).with_name("gunicorn")),
        "--config",
        "gunicorn.conf.py",
        application,
    ]
    with log.open("w") as out:
        process = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, stdout=out, stderr=subprocess.PIPE, text=True
        )
    return Server(process, log)


@contextmanager
def running_server(
    var: Path,
    folder: Path,
    settings: Mapping[str, str] | None = None,
    application: str = "application:application",
    *,
    under: Sequence[str] = (),
) -> Iterator[Server]:
    """A service that is ready; stopped at the end."""
    server = start(var, folder, settings, application, under=under)
    try:
        server.wait_ready()
        server.reader.start()
        yield server
    finally:
        server.stop()


def skin_photo(width: int = 320, height: int = 240, seed: int = 1, kind: str = "JPEG") -> bytes:
    """A made photo as through a dermatoscope: a mottled brown mark with an uneven edge, in a round field."""
    random = np.random.default_rng(seed)
    across = min(width, height)
    rows, columns = np.mgrid[0:height, 0:width]
    down, right = (rows - height / 2) / across, (columns - width / 2) / across
    distance, angle = np.hypot(down, right), np.arctan2(down, right)
    edge = 0.3 * (1 + 0.12 * np.sin(3 * angle + random.uniform(0, 6)) + 0.06 * np.sin(7 * angle))
    mark = 1 / (1 + np.exp((distance / edge - 1) * 9))[..., None]
    field = 1 / (1 + np.exp((distance / 0.575 - 1) * 40))[..., None]
    coarse, fine = (_mottling(random, height, width, across / cells) for cells in (80, 160))
    skin = np.array([214.0, 160.0, 148.0]) + 3 * coarse
    brown = np.array([110.0, 70.0, 62.0]) + 12 * fine
    photo = (skin * (1 - mark) + brown * mark) * field + random.normal(0, 2, (height, width, 3))
    buffer = io.BytesIO()
    Image.fromarray(np.clip(photo, 0, 255).astype(np.uint8)).save(buffer, kind)
    return buffer.getvalue()


def _mottling(random: np.random.Generator, height: int, width: int, size: float) -> np.ndarray:
    """(height, width, 1) of unit spread, in blotches of about ``size`` pixels."""
    noise = ndimage.gaussian_filter(random.normal(0, 1, (height, width)), max(size, 0.5), mode="wrap")
    return (noise / noise.std())[..., None]
