"""Start, stop, refuse to start: what ops see."""

from __future__ import annotations

import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.e2e.server import Server, running_server, skin_photo, start


def test_live_and_ready(server: Server) -> None:
    assert server.get("/health").json()["status"] == "ok"
    ready = server.get("/health/ready").json()
    assert ready["workers"] == {"ready": 2, "expected": 2}
    assert ready["index"]["synthetic"] is True


def test_what_computes_is_loaded_in_the_workers_alone(server: Server) -> None:
    arbiter = "\n".join(part.path for part in psutil.Process(server.process.pid).memory_maps())
    assert not any(name in arbiter for name in ("libtorch", "tensorflow", "onnxruntime", "faiss"))
    for worker in server.workers():
        maps = "\n".join(part.path for part in worker.memory_maps())
        assert "onnxruntime" in maps or ("libtorch" in maps and "tensorflow" in maps)
        assert "faiss" in maps


def test_a_stop_answers_what_was_accepted_and_leaves_nothing_behind(var_folder: Path, tmp_path: Path) -> None:
    photo = skin_photo(2000, 1500)
    with running_server(var_folder, tmp_path, {"GUNICORN_WORKERS": "1", "MAX_WORKERS": "1"}) as server:
        with ThreadPoolExecutor(1) as pool:
            pending = pool.submit(server.post, files={"image": photo})
            while not _is_busy(server) and not pending.done():
                pass
            server.process.send_signal(signal.SIGTERM)
            assert pending.result().status_code == 200
        assert server.stop() == 0
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not list(tmp_path.glob("dermserve-*"))
    assert not [path for path in left if photo[1000:1064] in path.read_bytes()]


def _is_busy(server: Server) -> bool:
    """Whether a worker holds a client's connection."""
    return any(
        connection.status == psutil.CONN_ESTABLISHED
        for worker in server.workers()
        for connection in worker.net_connections("tcp")
    )


def test_a_killed_worker_is_replaced(var_folder: Path, tmp_path: Path) -> None:
    with running_server(var_folder, tmp_path, {"GUNICORN_WORKERS": "1", "MAX_WORKERS": "1"}) as server:
        (worker,) = server.workers()
        worker.kill()
        worker.wait(timeout=30)
        # Held while the new worker loads, then answered: no 503 from an instance that has been ready.
        assert server.post(files={"image": skin_photo()}).status_code == 200


def copy_of(var: Path, folder: Path, *, models: bool = False) -> Path:
    """A data folder whose files may be spoiled: links where they stay as they are, copies where not."""
    target = folder / "var"
    shutil.copytree(var / "index", target / "index")
    if models:
        shutil.copytree(var / "models", target / "models", ignore=shutil.ignore_patterns("source"))
    else:
        (target / "models").symlink_to(var / "models")
    return target


def refusal(var: Path, folder: Path, settings: dict[str, str] | None = None) -> str:
    """The last line that a service says which must not start."""
    server = start(var, folder, settings)
    _, said = server.process.communicate(timeout=120)
    assert server.process.returncode != 0
    return said.strip().splitlines()[-1]


def test_a_spoiled_model_stops_the_boot(var_folder: Path, tmp_path: Path) -> None:
    var = copy_of(var_folder, tmp_path, models=True)
    (model,) = var.glob("models/efficientnet-lite0/*/encoder.pt2")
    model.write_bytes(model.read_bytes()[:-1])
    assert "encoder.pt2 does not match its sha256" in refusal(var, tmp_path)


def test_a_spoiled_index_stops_the_boot(var_folder: Path, tmp_path: Path) -> None:
    var = copy_of(var_folder, tmp_path)
    with (var / "index" / "sample" / "index.faiss").open("r+b") as file:
        file.write(b"junk")
    assert "index.faiss does not match its sha256" in refusal(var, tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("FAISS_DIMENSION", "768", "FAISS_DIMENSION=768"),
        ("DERMSERVE_ENCODER", "no-such-model", "no-such-model"),
        ("GUNICORN_WORKERS", "many", "GUNICORN_WORKERS=many"),
        ("USE_MOCK_SERVICES", "true", "USE_MOCK_SERVICES=true is refused"),
        ("ENABLE_GPU", "true", "ENABLE_GPU=true, but torch sees no GPU"),
    ],
)
def test_a_wrong_setting_stops_the_boot(var_folder: Path, tmp_path: Path, name: str, value: str, hint: str) -> None:
    assert hint in refusal(var_folder, tmp_path, {name: value})


def test_a_missing_model_is_named_with_the_command_that_brings_it(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    assert "python -m ml fetch" in refusal(tmp_path / "var", tmp_path)
