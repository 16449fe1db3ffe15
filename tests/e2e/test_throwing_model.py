"""A photo that the model throws for ends its own request and no other."""

from __future__ import annotations

import io
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from tests.e2e.server import running_server, skin_photo

_SETTINGS = {
    "GUNICORN_WORKERS": "1",
    "GUNICORN_THREADS": "12",
    "MAX_WORKERS": "8",
    "OPERATION_APPLE_ENABLED": "false",
    "ADVANCED_ANALYSIS_ENABLED": "false",
}


def one_colour() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (320, 240), (205, 160, 135)).save(data, "JPEG")
    return data.getvalue()


def test_only_the_photo_that_the_model_throws_for_fails(var_folder: Path, tmp_path: Path) -> None:
    good, bad = skin_photo(), one_colour()
    photos = 8 * [good, good, bad, good]
    with running_server(var_folder, tmp_path, _SETTINGS, "tests.e2e.throwing_service:application") as server:
        (worker,) = server.workers()
        alone = server.post(files={"image": good}).json()["similar_cases"]
        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(lambda photo: server.post(files={"image": photo}), photos))
        assert server.workers() == [worker]
        assert server.post(files={"image": good}).status_code == 200
    assert Counter(answer.status_code for answer in answers) == {200: 24, 500: 8}
    for photo, answer in zip(photos, answers, strict=True):
        assert answer.status_code == (500 if photo is bad else 200)
        if photo is good:
            assert [case["case_id"] for case in answer.json()["similar_cases"]] == [case["case_id"] for case in alone]
        else:
            assert answer.json()["error"]["code"] == "internal_error"
