"""Google Cloud Storage, without credentials: public buckets, and machines that have no Google account."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from google.api_core.exceptions import GoogleAPIError, NotFound
from google.cloud import storage as google_storage
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY
from requests import RequestException

from storage.base import ChecksumError, NotFoundError, ObjectInfo, StorageError
from storage.retry import retry_policy

#: refused requests and cut transfers; the client's own limit of two minutes an object would hold up a build for hours
_RETRY = DEFAULT_RETRY.with_delay(initial=0.5, maximum=8.0).with_timeout(30.0)


class GoogleStorage:
    """Objects below ``gs://bucket/prefix``; STORAGE_EMULATOR_HOST counts.

    The client retries, goes on where a transfer was cut, and compares checksums.
    """

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        self.uri = uri
        self._prefix = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""
        self._bucket = google_storage.Client.create_anonymous_client().bucket(parts.netloc)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        try:
            for blob in self._bucket.list_blobs(prefix=self._prefix + prefix, retry=_RETRY):
                yield ObjectInfo(blob.name.removeprefix(self._prefix), blob.size, blob.updated)
        except (GoogleAPIError, RequestException) as error:
            raise StorageError(f"{self.uri} cannot be listed: check the bucket's name and access.") from error

    def read(self, name: str) -> bytes:
        try:
            return retry_policy(DataCorruption)(self._download, name)
        except NotFound as error:
            raise NotFoundError(f"{name} is not in {self.uri}.") from error
        except DataCorruption as error:
            raise ChecksumError(f"{name} arrived damaged from {self.uri}: try again.") from error
        except (GoogleAPIError, RequestException) as error:
            raise StorageError(f"{name} could not be read from {self.uri}: try again later.") from error

    def _download(self, name: str) -> bytes:
        return bytes(self._bucket.blob(self._prefix + name).download_as_bytes(retry=_RETRY))
