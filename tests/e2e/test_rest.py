"""A worker that rests holds less memory than one that works."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.e2e.server import running_server, skin_photo
from tests.waiting import wait_until

_LEAST_BYTES = 2 * 2**20  # without the release nothing falls; how much is held at the end of the last photo varies
_AT_ONCE = 4


def test_memory_is_given_back_when_no_photo_comes(var_folder: Path, tmp_path: Path) -> None:
    with running_server(var_folder, tmp_path, {"GUNICORN_WORKERS": "1", "MAX_WORKERS": "1"}) as server:
        (worker,) = server.workers()
        photos = [skin_photo(1600, 1200, seed=n) for n in range(_AT_ONCE)]
        with ThreadPoolExecutor(_AT_ONCE) as clients:
            answers = clients.map(lambda photo: server.post(files={"image": photo}).status_code, photos)
            assert set(answers) == {200}
        working = worker.memory_full_info().uss
        wait_until(
            lambda: worker.memory_full_info().uss < working - _LEAST_BYTES,
            lambda: f"{worker.memory_full_info().uss} of {working} bytes are still held",
        )
        assert server.post(files={"image": photos[0]}).status_code == 200
