"""Amazon S3 and servers that speak its protocol. Credentials and endpoint come from boto3's own settings."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from storage.base import ChecksumError, NotFoundError, ObjectInfo, StorageError
from storage.retry import retry_policy

_CONFIG = Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5, read_timeout=60)
_MISSING = {"NoSuchKey", "NoSuchBucket", "404"}
#: what the client raises while a body arrives: its own retries end with the answer's first line
_BROKEN = (FlexibleChecksumError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError)


class S3Storage:
    """Objects below ``s3://bucket/prefix``. Checksums are compared where the server states one."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        self.uri = uri
        self._bucket = parts.netloc
        self._prefix = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""
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
            return retry_policy(*_BROKEN)(self._download, name)
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
