"""The specification's switches, each shown to do what it says on a running service."""

from __future__ import annotations

from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tests.e2e.server import ANALYZE, running_server, skin_photo, start
from tests.tools import free_port

ONE = {"GUNICORN_WORKERS": "1", "MAX_WORKERS": "1"}


def test_everything_that_can_be_switched_off_is_off(var_folder: Path, tmp_path: Path) -> None:
    switches = {
        "OPERATION_APPLE_ENABLED": "false",
        "ADVANCED_ANALYSIS_ENABLED": "false",
        "PRELOAD_FAISS": "false",
        "DERMSERVE_COSMETIC_MODE": "true",
    }
    with running_server(var_folder, tmp_path, {**ONE, **switches}) as server:
        answer = server.post(files={"image": skin_photo()}).json()
        parts = {part["name"] for part in server.post(json={"test": "ml_capability"}).json()["parts"]}
    assert answer["skin"] == {"measurements": []}
    assert "lesion" not in answer
    assert answer["decision"]["reasons"] == ["synthetic_index", "dermatoscopic_photo", "cosmetic_mode"]
    assert answer["similar_cases"]
    assert all(case["differential"] == {} for case in answer["similar_cases"])
    assert "faces" not in parts


def test_a_short_analysis_timeout_gives_a_504_that_names_the_stage(var_folder: Path, tmp_path: Path) -> None:
    with running_server(var_folder, tmp_path, {**ONE, "ANALYSIS_TIMEOUT": "0.02"}) as server:
        response = server.post(files={"image": skin_photo()})
    assert response.status_code == 504
    assert response.json()["error"]["details"]["stage"]


def test_mock_services_mark_every_answer(tmp_path: Path) -> None:
    switches = {"USE_MOCK_SERVICES": "true", "FLASK_ENV": "development"}
    with running_server(tmp_path, tmp_path, {**ONE, **switches}) as server:
        assert server.post(files={"image": skin_photo()}).json()["mock"] is True
        assert server.post(files={"image": b"no image"}).status_code == 415


def test_without_ml_the_service_stays_up_and_says_so(tmp_path: Path) -> None:
    port = free_port()
    server = start(tmp_path, tmp_path, {**ONE, "ML_AVAILABLE": "false", "PORT": str(port)})
    client = requests.Session()
    client.mount("http://", HTTPAdapter(max_retries=Retry(connect=60, backoff_factor=0.1, backoff_max=0.5)))
    try:
        health = client.get(f"http://127.0.0.1:{port}/health", timeout=10)
        refused = client.post(f"http://127.0.0.1:{port}{ANALYZE}", files={"image": skin_photo()}, timeout=10)
    finally:
        server.stop()
    assert health.status_code == 200
    assert health.json()["ml"]["available"] is False
    assert refused.status_code == 503
    assert refused.json()["error"]["message"]
