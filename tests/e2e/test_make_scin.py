"""``make scin``: a bucket becomes an evaluated index, and its service takes the place of the one that runs."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from scin.index.manifest import read_manifest
from scin.index.vote import read_calibration
from tests.e2e.server import REPOSITORY, Server, skin_photo
from tests.tools import free_port

FIRST, LIMIT = 20, 64
PATHS = [f"image_{n}_path" for n in (1, 2, 3)]


@pytest.fixture
def bucket(var_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a bucket in SCIN's layout, with the sample's first photos, on a server of Google's protocol."""
    from gcp_storage_emulator.server import create_server
    from google.cloud import storage as google_storage

    port = free_port()
    server = create_server("127.0.0.1", port, in_memory=True, default_bucket="skin")
    server.start()
    try:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        to = google_storage.Client.create_anonymous_client().bucket("skin")
        sample = var_folder / "sample"
        for name in ("scin_cases.csv", "scin_labels.csv"):
            to.blob(f"dataset/{name}").upload_from_filename(sample / "dataset" / name)
        with (sample / "dataset" / "scin_cases.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))[: LIMIT + 8]  # a few of them have no label
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


def index_of(server: Server) -> dict[str, object]:
    """What a ready service answers from."""
    server.wait_ready()
    server.reader.start()
    answer = server.post(data=skin_photo(), headers={"Content-Type": "image/jpeg"}).json()
    assert len(answer["similar_cases"]) == 5
    return dict(answer["index"])


@pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning")
def test_one_command_leads_from_a_bucket_to_a_service_in_the_place_of_the_old_one(
    var: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCIN_BUCKET_PATH", bucket)
    port = free_port()
    pid_file = var / f"service-{port}.pid"
    old = make("serve", var, port)
    new: Server | None = None
    try:
        assert index_of(old)["name"] == "sample"
        old_service = psutil.Process(int(pid_file.read_text()))
        new = make("scin", var, port, f"FIRST={FIRST}", f"LIMIT={LIMIT}")
        found = index_of(new)
        assert (found["name"], found["cases"]) == ("scin", LIMIT)
        assert new.url == old.url
        assert not old_service.is_running()
        assert old.process.wait(timeout=60) == 0
        assert int(pid_file.read_text()) != old_service.pid
    finally:
        for server in (old, new):
            if server is not None:
                server.stop()
    index = var / "index" / "scin"
    assert read_calibration(index).accuracy["all"]["top-1"].n == LIMIT
    assert read_manifest(index).built_at != "unknown"
    assert "# " in (var / "evaluation" / "scin" / "leaderboard.md").read_text()
    told = new.log.read_text()
    assert told.index(f"{FIRST} synthetic cases") < told.index(f"{LIMIT} synthetic cases")
    assert told.index(f"{LIMIT} synthetic cases") < told.index("stopping the service that uses the old index")
