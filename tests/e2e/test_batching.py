"""Photos that are computed together: what is counted of it, and one that the model throws for."""

from __future__ import annotations

import io
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from tests.e2e.server import running_server, skin_photo
from tests.e2e.test_metrics import scrape

_SETTINGS = {
    "GUNICORN_WORKERS": "1",
    "GUNICORN_THREADS": "12",
    "MAX_WORKERS": "8",
    "OPERATION_APPLE_ENABLED": "false",
    "ADVANCED_ANALYSIS_ENABLED": "false",
}


def test_the_views_of_a_case_share_a_batch_of_the_size_that_is_set(var_folder: Path, tmp_path: Path) -> None:
    views = [("image", (f"{n}.jpg", skin_photo(seed=n))) for n in range(3)]
    with running_server(var_folder, tmp_path, {**_SETTINGS, "DERMSERVE_MAX_BATCH": "2"}) as server:
        before = scrape(server)  # each model has proved itself on one photo
        answer = server.post(files=views).json()
        after = scrape(server)
    assert answer["lesion"]["predictions"]
    for model in ("efficientnet-lite0", "sklesion"):  # three views: two, then one
        for key, expected in ((("count",), 2), (("sum",), 3), (("bucket", "1.0"), 1)):
            name = (f"dermserve_batch_size_{key[0]}", *key[1:], model)
            assert after[name] - before[name] == expected, name


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
        found = scrape(server)
        assert server.post(files={"image": good}).status_code == 200
    assert Counter(answer.status_code for answer in answers) == {200: 24, 500: 8}
    for photo, answer in zip(photos, answers, strict=True):
        assert answer.status_code == (500 if photo is bad else 200)
        if photo is good:
            assert [case["case_id"] for case in answer.json()["similar_cases"]] == [case["case_id"] for case in alone]
        else:
            assert answer.json()["error"]["code"] == "internal_error"
    lone = found["dermserve_batch_size_bucket", "1.0", "efficientnet-lite0"]
    assert lone < found["dermserve_batch_size_count", "efficientnet-lite0"]  # some photos shared their batch
