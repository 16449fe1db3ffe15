"""``make scin``: a bucket becomes an evaluated index, which a running service takes without losing a request."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import requests

from ml.models.registry import EFFICIENTNET_LITE0
from scin.index.manifest import read_manifest
from scin.index.vote import read_calibration
from tests.e2e.server import ANALYZE, REPOSITORY, Server, skin_photo
from tests.e2e.trained_encoder import NAME as TRAINED
from tests.e2e.trained_encoder import write_trained
from tests.tools import free_port
from tests.waiting import wait_until

#: an evaluation needs 60 cases
FIRST, LIMIT = 12, 60
#: longer than any step takes on a busy machine
PATIENCE_S = 400
#: so that no lesion model takes the processor time that the steps need
STATED = {"modality": "close_up"}
PATHS = [f"image_{n}_path" for n in (1, 2, 3)]


@pytest.fixture
def bucket(var_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a bucket in SCIN's layout, with the sample's first photos, on a server of Google's protocol. The
    tables do not say that the photos are generated, so that the index counts as real."""
    from gcp_storage_emulator.server import create_server
    from google.cloud import storage as google_storage

    port = free_port()
    server = create_server("127.0.0.1", port, in_memory=True, default_bucket="skin")
    server.start()
    try:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        to = google_storage.Client.create_anonymous_client().bucket("skin")
        sample = var_folder / "sample"
        to.blob("dataset/scin_labels.csv").upload_from_filename(sample / "dataset" / "scin_labels.csv")
        with (sample / "dataset" / "scin_cases.csv").open(newline="") as file:
            rows = [{**row, "source": "SCIN"} for row in csv.DictReader(file)]
        table = io.StringIO()
        writer = csv.DictWriter(table, rows[0])
        writer.writeheader()
        writer.writerows(rows)
        to.blob("dataset/scin_cases.csv").upload_from_string(table.getvalue())
        rows = rows[: LIMIT + 8]  # a few of them have no label
        for path in {row[column] for row in rows for column in PATHS if row[column]}:
            to.blob(path).upload_from_filename(sample / path)
        yield "gs://skin/dataset/"
    finally:
        server.stop()


@pytest.fixture
def var(var_folder: Path, tmp_path: Path) -> Path:
    """A folder with this run's models and sample, and no index of SCIN."""
    folder = tmp_path / "var"
    (folder / "index").mkdir(parents=True)
    (folder / "models").symlink_to(var_folder / "models")
    (folder / "index" / "sample").symlink_to(var_folder / "index" / "sample")
    return folder


def make(target: str, var: Path, port: int, *variables: str) -> Server:
    """Start ``make``. The environment and the models are this run's: make is told that they are as they should be."""
    venv, said = Path(sys.prefix), var.parent / target
    done = [f"--old-file={name}" for name in (f"{venv}/.installed", f"{venv}/.installed-scin", "artifacts")]
    with said.open("w") as out:
        process = subprocess.Popen(
            ["make", *done, f"VENV={venv}", *variables, target],
            cwd=REPOSITORY,
            env={**os.environ, "DERMSERVE_VAR": str(var), "PORT": str(port), "DERMSERVE_STOP_DELAY_S": "0"},
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
        )
    return Server(process, said)


@dataclass
class Asker:
    """A client that sends two requests a second. ``indexes``: (name, cases) of each answer, in order. ``encoders``:
    those of the answers."""

    url: str
    statuses: Counter[int] = field(default_factory=Counter)
    indexes: list[tuple[str, int]] = field(default_factory=list)
    encoders: set[str] = field(default_factory=set)
    lost: list[str] = field(default_factory=list)

    def ask(self, photo: bytes) -> None:
        try:
            answer = requests.post(f"{self.url}{ANALYZE}", files={"image": photo}, data=STATED, timeout=120)
        except requests.RequestException as error:
            self.lost.append(repr(error))
            return
        self.statuses[answer.status_code] += 1
        if answer.ok:
            index, models = answer.json()["index"], answer.json()["models"]
            self.indexes.append((index["name"], index["cases"]))
            self.encoders |= {model["name"] for model in models} & {EFFICIENTNET_LITE0.name, TRAINED}

    def wait_for_more(self) -> None:
        """Until three more requests have been answered with 200."""
        asked = len(self.indexes)
        wait_until(lambda: len(self.indexes) > asked + 3, lambda: f"{self.statuses}, lost: {self.lost}")


@contextmanager
def asking(url: str) -> Iterator[Asker]:
    """A client that asks until the end, each time in its own thread, so that a slow answer delays no request."""
    asker, ended, photo = Asker(url), threading.Event(), skin_photo()
    threads: list[threading.Thread] = []

    def run() -> None:
        while not ended.wait(0.5):
            threads.append(threading.Thread(target=asker.ask, args=(photo,)))
            threads[-1].start()

    clock = threading.Thread(target=run)
    clock.start()
    try:
        yield asker
    finally:
        ended.set()
        for thread in (clock, *threads):
            thread.join()


def ready(server: Server) -> Server:
    server.wait_ready()
    server.reader.start()
    return server


def run_scin(var: Path, port: int, *variables: str) -> tuple[int, str]:
    """Run ``make scin`` to its end. Its exit status and what it said on stderr."""
    builder = make("scin", var, port, f"FIRST={FIRST}", f"LIMIT={LIMIT}", *variables)
    builder.reader.start()
    builder.process.wait(timeout=PATIENCE_S)
    return builder.stop(), "".join(builder.said)


@pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning")
def test_a_running_service_takes_each_index_and_loses_no_request(
    var: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first cases, all cases, all cases with a trained encoder; then a run that fails."""
    monkeypatch.setenv("SCIN_BUCKET_PATH", bucket)
    write_trained(var / "encoders" / f"scin-{LIMIT}", var / "models", bucket, LIMIT)
    port = free_port()
    service = ready(make("serve", var, port))
    arbiter = psutil.Process(int((var / f"service-{port}.pid").read_text()))
    try:
        with asking(service.url) as asker:
            asker.wait_for_more()
            status, said = run_scin(var, port)
            assert status == 0, said
            asker.wait_for_more()
            monkeypatch.setenv("SCIN_BUCKET_PATH", str(var / "no such dataset"))
            status, said = run_scin(var, port)
            assert (status != 0, "Run the command again" in said) == (True, True)
            asker.wait_for_more()
        assert asker.lost == []
        assert set(asker.statuses) == {200}
        served = [("sample", 304), ("scin", FIRST), ("scin", LIMIT), ("scin-trained", LIMIT)]
        assert [index for index in served if index in asker.indexes] == served
        assert set(asker.indexes) == set(served)
        assert asker.indexes[-3:] == served[-1:] * 3
        assert asker.encoders == {EFFICIENTNET_LITE0.name, TRAINED}
        assert arbiter.is_running()
    finally:
        service.stop()
    for index in ("scin", "scin-trained"):
        assert read_calibration(var / "index" / index).accuracy["all"]["top-1"].n == LIMIT
        assert not read_manifest(var / "index" / index).synthetic
        assert "# " in (var / "evaluation" / index / "leaderboard.md").read_text()
    assert [path.name for path in (var / "index").iterdir() if path.name.startswith(".")] == []


@pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning")
def test_without_a_service_one_is_started_and_ends_with_the_command(
    var: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCIN_BUCKET_PATH", bucket)
    port = free_port()
    builder = ready(make("scin", var, port, f"FIRST={FIRST}", f"LIMIT={LIMIT}", "TRAIN=0"))
    try:
        with asking(builder.url) as asker:
            asker.wait_for_more()
        assert asker.lost == []
        assert asker.indexes[0] == ("scin", FIRST)
        arbiter = psutil.Process(int((var / f"service-{port}.pid").read_text()))
        assert "gunicorn" in " ".join(arbiter.cmdline())
        builder.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not arbiter.is_running())
        builder.process.wait(timeout=60)
        assert not (var / f"service-{port}.pid").exists()
    finally:
        builder.stop()
