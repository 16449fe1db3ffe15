"""What becomes of a photo: traced by the kernel's own account, through the service and the deployed proxy.

docs/privacy.md promises it; here each promise is looked for, in everything that both wrote and left.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.e2e.private_photo import PrivatePhoto, face_geometry, private_photo
from tests.e2e.server import REPOSITORY
from tests.e2e.system_calls import Call
from tests.e2e.traced_life import Life, ask_wrongly, asked, traced_life
from web.profiles import PROFILES

EXPECTED = {
    "multipart": 200,
    "full": 200,
    "views": 200,
    "overlays": 200,
    "base64": 200,
    "data URL": 200,
    "raw": 200,
    "address": 200,
    "not a photo": 415,
    "cut short": 422,
    "impossible age": 422,
    "impossible site": 422,
    "not JSON": 400,
    "not base64": 400,
    "form": 200,
    "raw, unnamed": 200,
    "no boundary": 400,
    "text": 415,
    "too large": 413,
    "elsewhere": 404,
    "another method": 405,
    "DICOM": 200,
    "DICOM, raw": 200,
    "DICOM, base64": 200,
    "DICOM, cut short": 422,
    "DICOM, not a photo": 415,
    **dict.fromkeys((f"profile {name}" for name in PROFILES), 200),
}
DOCUMENT = (REPOSITORY / "docs" / "privacy.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def photo() -> PrivatePhoto:
    return private_photo()


@pytest.fixture(scope="module")
def life(photo: PrivatePhoto, var_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Life:
    """Every kind of request, sent to the service itself and through nginx; both have ended."""
    with traced_life(var_folder, tmp_path_factory.mktemp("life")) as running:
        for way, url in (("straight", running.url), ("through nginx", running.proxied_url)):
            for name, ask in asked(photo).items():
                running.answers[f"{name}, {way}"] = ask(url)
            ask_wrongly(url, photo)
        running.keep_what_is_left()
    return running


def written_by_the_service(life: Life) -> list[Call]:
    """But for what its clients received."""
    return [call for call in life.written(life.service) if not call.target.startswith("TCP:")]


def logged_by_the_proxy(life: Life) -> list[Call]:
    return [call for call in life.written(life.proxy) if "/nginx/log/" in call.target]


def test_the_requests_went_their_ways(life: Life) -> None:
    """Otherwise nothing below would mean anything."""
    for name, status in EXPECTED.items():
        for way in ("straight", "through nginx"):
            assert life.answers[f"{name}, {way}"].status_code == status, (name, way)
    assert life.answers["multipart, straight"].json()["skin"]["zones"]
    assert any(call.target.endswith("stdout.log") for call in written_by_the_service(life))
    logs = {Path(call.target).name.split(".")[0] for call in logged_by_the_proxy(life)}
    assert logs >= {"access", "application"}  # the latter is for the platform's health reports


def test_the_service_opens_nothing_for_writing(life: Life) -> None:
    """No temporary file, no cache, no shared memory: only the counters that were there before, and the sign to stop."""
    opened = {re.sub(r"_\d+\.db$", ".db", Path(place).name) for place in life.places(life.service)}
    assert opened <= {"counter.db", "histogram.db", "gauge_livesum.db", "gauge_livemax.db", "stopping"}


def test_the_service_writes_to_its_log_alone(life: Life) -> None:
    files = {call.target for call in written_by_the_service(life)}
    assert {Path(name).name for name in files if not re.match(r"pipe:|anon_inode:|UNIX", name)} == {"stdout.log"}


def test_nothing_of_the_photo_is_in_what_the_service_writes(life: Life, photo: PrivatePhoto) -> None:
    for call in written_by_the_service(life):
        assert photo.found_in(call.data) == set(), call.data[:2000]


def test_nothing_of_the_photo_is_in_the_proxys_logs(life: Life, photo: PrivatePhoto) -> None:
    for call in logged_by_the_proxy(life):
        assert photo.found_in(call.data) == set(), call.data[:2000]


def test_the_proxy_spools_in_memory_and_leaves_nothing(life: Life, photo: PrivatePhoto) -> None:
    carried = {call.target for call in life.written(life.proxy) if photo.found_in(call.data)}
    files = {target for target in carried if not target.startswith("TCP:")}
    assert files  # it did spool
    assert all(target.startswith(f"{life.spool}/dermserve-body/") for target in files)
    assert str(life.spool).startswith("/dev/shm/")
    assert _file_system("/dev/shm") == "tmpfs"
    assert [name for name in life.left if name.startswith(str(life.spool))] == []


def test_nothing_of_the_photo_is_left_in_any_file(life: Life, photo: PrivatePhoto) -> None:
    assert any(name.endswith("counter_0.db") for name in life.left)
    assert {name for name, content in life.left.items() if photo.found_in(content)} == set()


def test_no_face_geometry_is_written_or_left(life: Life) -> None:
    numbers = face_geometry(life.answers["full, straight"].json())
    assert len(numbers) > 50
    written = [call.data for call in [*written_by_the_service(life), *logged_by_the_proxy(life)]]
    for text in [*written, *life.left.values()]:
        assert not any(number in text for number in numbers)


def test_answers_hold_nothing_of_the_file(life: Life, photo: PrivatePhoto) -> None:
    """An answer is about the skin: no name, owner, place or digest comes back, in headers or body."""
    for name, answer in life.answers.items():
        headers = "\n".join(f"{key}: {value}" for key, value in answer.headers.items()).encode()
        assert photo.found_in(headers) == set(), name
        assert photo.found_in(answer.content) == set(), name
        assert answer.headers.get("Cache-Control") == "no-store", name
        assert "Set-Cookie" not in answer.headers


def test_no_other_program_or_machine_is_told(life: Life) -> None:
    for call in life.service.calls(life.since):
        assert call.name not in {"execve", "io_uring_setup"}, call.text
        if call.name == "connect":
            assert "127.0.0.1" in call.text or "AF_UNIX" in call.text, call.text


def test_a_crash_leaves_no_core_file(life: Life) -> None:
    assert life.core_limits == {"0"}


def test_the_log_says_what_is_documented_and_no_more(life: Life) -> None:
    documented = set(re.findall(r"`([a-z_]+)`", DOCUMENT.partition("## What the log holds")[2].partition("\n## ")[0]))
    assert {"event", "request_id", "timings_ms"} <= documented
    log = next(content for name, content in life.left.items() if name.endswith("stdout.log"))
    lines = [json.loads(line) for line in log.decode().splitlines()]
    told = [line for line in lines if line["event"] in {"access", "analysis", "refused", "malformed_request", "error"}]
    assert {line["event"] for line in told} >= {"access", "analysis", "refused", "malformed_request"}
    assert {key for line in told for key in line} <= documented


def _file_system(path: str) -> str:
    """The type of the file system that is mounted at ``path``."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return next(kind for _, place, kind, *_ in reversed(mounts) if place == path)
