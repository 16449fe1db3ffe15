"""Amazon S3 and compatible servers. Credentials and endpoint come from boto3's own settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from storage import base
from storage.base import ChecksumError, NotFoundError, ObjectInfo, StorageError

_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": base.ATTEMPTS},
    connect_timeout=base.CONNECT_TIMEOUT_S,
    read_timeout=base.READ_TIMEOUT_S,
)
_MISSING = {"NoSuchKey", "NoSuchBucket", "404"}
#: errors while a body arrives; boto3 itself retries only until the response begins
_BROKEN = (FlexibleChecksumError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError)


class S3Storage:
    """Objects below ``s3://bucket/prefix``. Checksums are compared if the server states them."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._bucket, self._prefix = base.bucket_and_prefix(uri)
        self._client = boto3.client("s3", config=_CONFIG)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        pages = self._client.get_paginator("list_objects_v2")
        try:
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                for item in page.get("Contents", []):
                    yield ObjectInfo(item["Key"].removeprefix(self._prefix), item["Size"], item["LastModified"])
        except (BotoCoreError, ClientError) as error:
            raise StorageError(f"{self.uri} cannot be listed: check the bucket's name and access.") from error

    def read(self, name: str) -> bytes:
        try:
            return base.retry_policy(*_BROKEN)(self._download, name)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _MISSING:
                raise NotFoundError(f"{name} is not in {self.uri}.") from error
            raise StorageError(f"{name} could not be read from {self.uri}: check access.") from error
        except FlexibleChecksumError as error:
            raise ChecksumError(f"{name} arrived damaged from {self.uri}: try again.") from error
        except BotoCoreError as error:
            raise StorageError(f"{name} could not be read from {self.uri}: try again later.") from error

    def _download(self, name: str) -> bytes:
        return bytes(self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"].read())


class S3Target:
    """Write access below ``s3://bucket/prefix``. S3 shows an object only after its last byte has arrived."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._bucket, self._prefix = base.bucket_and_prefix(uri)
        self._client = boto3.client("s3", config=_CONFIG)

    def size(self, name: str) -> int | None:
        try:
            return int(self._client.head_object(Bucket=self._bucket, Key=self._prefix + name)["ContentLength"])
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _MISSING:
                return None
            raise StorageError(
                f"{name} cannot be looked up in {self.uri}: check the bucket's name and access."
            ) from error
        except BotoCoreError as error:
            raise StorageError(f"{self.uri} cannot be reached: try again later.") from error

    def put(self, name: str, data: Path | bytes) -> None:
        key = self._prefix + name
        try:
            if isinstance(data, bytes):
                self._client.put_object(Bucket=self._bucket, Key=key, Body=data)
            else:
                self._client.upload_file(str(data), self._bucket, key)
        except (BotoCoreError, Boto3Error, ClientError) as error:
            raise StorageError(f"{name} could not be written to {self.uri}: check access and try again.") from error
