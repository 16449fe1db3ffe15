"""``make scin`` from an empty folder: a bucket becomes an evaluated index that a started service answers from."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scin.calibration import read_calibration
from scin.manifest import read_manifest
from tests.e2e.server import REPOSITORY, Server, skin_photo
from tests.integration.test_gcs import free_port

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


@pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning")
def test_one_command_leads_from_a_bucket_to_a_service(var_folder: Path, bucket: str, tmp_path: Path) -> None:
    var, venv = tmp_path / "var", Path(sys.prefix)
    var.mkdir()
    (var / "models").symlink_to(var_folder / "models")
    # The environment and the models are this run's: make is told that they are as they should be.
    done = [f"--old-file={name}" for name in (f"{venv}/.installed", f"{venv}/.installed-scin", "artifacts")]
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(
            ["make", *done, f"VENV={venv}", f"FIRST={FIRST}", f"LIMIT={LIMIT}", "scin"],
            cwd=REPOSITORY,
            env={**os.environ, "DERMSERVE_VAR": str(var), "SCIN_BUCKET_PATH": bucket, "PORT": "0"},
            stdout=said,
            stderr=subprocess.PIPE,
            text=True,
        )
    server = Server(process, tmp_path / "said")
    try:
        server.wait_ready()
        server.reader.start()
        answer = server.post(data=skin_photo(), headers={"Content-Type": "image/jpeg"}).json()
    finally:
        server.stop()
    assert answer["index"]["name"] == "scin"
    assert answer["index"]["cases"] == LIMIT
    assert len(answer["similar_cases"]) == 5
    index = var / "index" / "scin"
    assert read_calibration(index).accuracy["all"]["top-1"].n == LIMIT
    assert read_manifest(index).built_at != "unknown"
    assert "# " in (var / "evaluation" / "scin" / "leaderboard.md").read_text()
    told = (tmp_path / "said").read_text()
    assert told.index(f"{FIRST} synthetic cases") < told.index(f"{LIMIT} synthetic cases")
