"""S3 over a socket: moto's server stands in for Amazon's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import boto3
import pytest
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.server import ThreadedMotoServer

from storage import ChecksumError, NotFoundError, StorageError, open_storage
from storage.base import download, read_many

OBJECTS = {f"dataset/images/{n:04}.png": bytes([n % 256]) * n for n in range(1100)}
OBJECTS |= {"dataset/scin_cases.csv": b"case_id\n", "datasets/other.csv": b"", "top.txt": b"top"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def account(endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """boto3's own variables; no file of this machine is read."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)


@pytest.fixture
def bucket(account: None) -> str:
    client = boto3.client("s3")
    if "skin" not in {found["Name"] for found in client.list_buckets()["Buckets"]}:
        client.create_bucket(Bucket="skin")
        # Straight into the server's memory: a thousand uploads would take ten seconds.
        backend = get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"]
        for name, content in OBJECTS.items():
            backend.put_object("skin", name, content)
    return "s3://skin"


def test_objects_are_listed_over_more_than_one_page(bucket: str) -> None:
    found = list(open_storage(f"{bucket}/dataset").list("images/"))
    assert [info.name for info in found] == sorted(f"images/{n:04}.png" for n in range(1100))
    assert [info.size for info in found] == list(range(1100))
    assert all(isinstance(info.modified, datetime) for info in found)


@pytest.mark.parametrize("form", ["s3://skin/dataset", "s3://skin/dataset/"])
def test_a_prefix_is_a_folder(bucket: str, form: str) -> None:
    store = open_storage(form)
    assert store.read("scin_cases.csv") == b"case_id\n"
    assert "other.csv" not in {info.name for info in store.list()}


def test_a_bucket_alone(bucket: str) -> None:
    assert open_storage(bucket).read("top.txt") == b"top"


def test_an_object_that_is_not_there(bucket: str) -> None:
    with pytest.raises(NotFoundError, match=r"none\.csv is not in s3://skin"):
        open_storage(bucket).read("none.csv")


def test_a_bucket_that_is_not_there(bucket: str) -> None:
    store = open_storage("s3://no-such-bucket")
    with pytest.raises(NotFoundError):
        store.read("top.txt")
    with pytest.raises(StorageError, match="check the bucket's name"):
        list(store.list())


def test_many_are_read_at_once(bucket: str) -> None:
    names = [f"images/{n:04}.png" for n in range(40)] + ["images/none.png"]
    found = dict(read_many(open_storage(f"{bucket}/dataset"), names))
    assert isinstance(found.pop("images/none.png"), NotFoundError)
    assert all(found[name] == OBJECTS[f"dataset/{name}"] for name in names[:-1])


def test_a_download_is_verified(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(ChecksumError):
        download(open_storage(bucket), "top.txt", tmp_path / "top.txt", "0" * 64)
    assert not (tmp_path / "top.txt").exists()
