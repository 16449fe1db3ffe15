"""The service with compiled models: what its answers say, what its workers hold, and how it differs from native."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.server import Server, running_server, skin_photo

COMPILED = {"efficientnet-lite0", "sklesion"}
NO_FACES = {"OPERATION_APPLE_ENABLED": "false"}


@pytest.fixture(scope="module")
def compiled(var_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"DERMSERVE_ENGINE": "onnxruntime", **NO_FACES}
    with running_server(var_folder, tmp_path_factory.mktemp("compiled"), settings) as server:
        yield server


def files_of(server: Server) -> list[str]:
    """For each worker, the files that are mapped into its memory."""
    return [Path(f"/proc/{worker.pid}/maps").read_text() for worker in server.workers()]


def test_answers_and_metrics_name_what_runs_the_models(compiled: Server) -> None:
    models = compiled.post(files={"image": skin_photo()}, data={"detail": "full"}).json()["models"]
    assert {model["name"] for model in models if model["engine"].startswith("onnxruntime ")} == COMPILED
    assert {model["framework"] for model in models} == {"pytorch", "tensorflow"}
    assert compiled.get("/metrics").text.count('engine="onnxruntime ') == len(COMPILED)


def test_the_capability_test_runs_both_frameworks_and_no_worker_keeps_them(compiled: Server) -> None:
    for _ in range(2):
        answer = compiled.post(json={"test": "ml_capability"}).json()
        parts = {part["name"]: part for part in answer["parts"]}
        assert answer["success"] is True
        for name in ("pytorch", "tensorflow"):
            assert parts[name]["reason"].startswith("served by onnxruntime ")
            assert parts[name]["reason"].endswith(" and agrees")
            assert parts[name]["version"][0].isdigit()
    for files in files_of(compiled):
        assert "libtorch" not in files
        assert "libtensorflow" not in files


def test_all_workers_have_the_same_weights_mapped(compiled: Server) -> None:
    for files in files_of(compiled):
        for name in COMPILED:
            assert any(f"/{name}/" in line and line.endswith("/model.data") for line in files.splitlines())


def test_native_and_copied_answers_are_the_same(compiled: Server, var_folder: Path, tmp_path: Path) -> None:
    def predictions(server: Server) -> dict[str, float]:
        lesion = server.post(files={"image": skin_photo(500, 400)}).json()["lesion"]
        return {one["code"]: one["probability"] for one in lesion["predictions"]}

    expected = predictions(compiled)
    copies = {"DERMSERVE_ENGINE": "onnxruntime", "DERMSERVE_MMAP": "false", "GUNICORN_WORKERS": "1", **NO_FACES}
    native = {"DERMSERVE_ENGINE": "native", "GUNICORN_WORKERS": "1", **NO_FACES}
    for number, settings in enumerate((copies, native)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with running_server(var_folder, folder, settings) as server:
            assert predictions(server) == pytest.approx(expected, abs=1e-4)
            (files,) = files_of(server)
            assert "model.data" not in files
            assert ("libtorch" in files) == (settings is native)
