"""Each store against a server that fails: temporary faults are retried, lasting ones are errors; no part is kept."""

from __future__ import annotations

import gc
import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.config import Config

from storage import ChecksumError, NotFoundError, Storage, StorageError, base, open_storage, s3, web
from storage.base import download, read_many
from tests.integration.faulty_server import CONTENT, faulty_server

pytestmark = [
    pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning"),
    # Google's client lets go of a connection that broke, and leaves closing it to the collector.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

Seen = Counter[str]


@pytest.fixture(autouse=True)
def retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from storage import gcs  # warns as it is imported, which only a test may ignore

    monkeypatch.setattr(base, "FIRST_WAIT_S", 0)
    monkeypatch.setattr(web, "_RETRY", web._RETRY.new(backoff_factor=0))
    monkeypatch.setattr(gcs, "_RETRY", gcs._RETRY.with_delay(initial=0.01, maximum=0.02).with_timeout(0.5))
    monkeypatch.setattr(s3, "_CONFIG", s3._CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 3})))
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)


@pytest.fixture(params=["gs", "s3", "http"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple]:
    """A store of each kind on the same server, and the server's count of requests."""
    with faulty_server() as (address, seen):
        for name, value in {
            "STORAGE_EMULATOR_HOST": address,
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": str(tmp_path / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        uri = f"{address}/skin" if request.param == "http" else f"{request.param}://skin/dataset"
        yield open_storage(uri), seen
    gc.collect()  # while those warnings are ignored


@pytest.fixture
def store(opened: tuple[Storage, Seen]) -> Storage:
    return opened[0]


@pytest.fixture
def seen(opened: tuple[Storage, Seen]) -> Seen:
    return opened[1]


def test_a_whole_object(store: Storage, seen: Seen) -> None:
    assert store.read("whole.bin") == CONTENT
    assert seen["whole.bin"] == 1


def test_what_is_missing_is_asked_for_once(store: Storage, seen: Seen) -> None:
    with pytest.raises(NotFoundError, match=r"missing\.bin is not"):
        store.read("missing.bin")
    assert seen["missing.bin"] == 1


def test_what_may_not_be_read_is_asked_for_once(store: Storage, seen: Seen) -> None:
    with pytest.raises(StorageError, match=r"forbidden\.bin"):
        store.read("forbidden.bin")
    assert seen["forbidden.bin"] == 1


@pytest.mark.parametrize("name", ["busy.bin", "cut-once.bin"])
def test_a_refusal_or_a_cut_that_passes_is_not_noticed(store: Storage, seen: Seen, name: str) -> None:
    assert store.read(name) == CONTENT
    assert seen[name] == 2


@pytest.mark.parametrize("name", ["failing.bin", "cut.bin"])
def test_a_refusal_or_a_cut_that_stays_is_told_after_some_attempts(store: Storage, seen: Seen, name: str) -> None:
    with pytest.raises(StorageError, match=name):
        store.read(name)
    assert seen[name] > 1


@pytest.mark.parametrize("opened", ["gs", "s3"], indirect=True)
def test_damage_that_passes_is_not_noticed_where_the_server_states_checksums(store: Storage, seen: Seen) -> None:
    assert store.read("damaged-once.bin") == CONTENT
    assert seen["damaged-once.bin"] == 2


@pytest.mark.parametrize("opened", ["gs", "s3"], indirect=True)
def test_damage_that_stays_is_refused_where_the_server_states_checksums(store: Storage) -> None:
    with pytest.raises(ChecksumError, match=r"damaged\.bin arrived damaged"):
        store.read("damaged.bin")


@pytest.mark.parametrize("name", ["missing.bin", "failing.bin", "cut.bin", "damaged.bin"])
def test_a_download_that_fails_leaves_no_file(store: Storage, tmp_path: Path, name: str) -> None:
    with pytest.raises(StorageError):
        download(store, name, tmp_path / "new" / name, hashlib.sha256(CONTENT).hexdigest())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", ["whole.bin", "busy.bin", "cut-once.bin"])
def test_a_download_is_the_whole_file(store: Storage, tmp_path: Path, name: str) -> None:
    download(store, name, tmp_path / name, hashlib.sha256(CONTENT).hexdigest())
    assert (tmp_path / name).read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_bad_objects_among_many(store: Storage) -> None:
    bad = ["missing.bin", "failing.bin", "cut.bin", "forbidden.bin"]
    names = [f"{n}.bin" for n in range(20)]
    names[3:3] = bad
    found = list(read_many(store, names))
    assert [name for name, _ in found] == names
    assert [name for name, content in found if isinstance(content, StorageError)] == bad
    assert all(content == CONTENT for name, content in found if name not in bad)
