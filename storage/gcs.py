"""Google Cloud Storage without credentials, so only for public buckets."""

from __future__ import annotations

from collections.abc import Iterator

from google.api_core.exceptions import GoogleAPIError, NotFound
from google.cloud import storage as google_storage
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY
from requests import RequestException

from storage import base
from storage.base import ChecksumError, NotFoundError, ObjectInfo, StorageError

#: For failed requests and broken transfers. This client limits seconds instead of attempts. Its default of two minutes
#: per object would delay a build for hours.
_RETRY = DEFAULT_RETRY.with_delay(base.FIRST_WAIT_S, base.LONGEST_WAIT_S).with_timeout(base.LONGEST_WAIT_S)


class GoogleStorage:
    """Objects below ``gs://bucket/prefix``, or of the emulator at STORAGE_EMULATOR_HOST.

    Google's client resumes broken transfers and compares checksums.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        bucket, self._prefix = base.bucket_and_prefix(uri)
        self._bucket = google_storage.Client.create_anonymous_client().bucket(bucket)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        try:
            for blob in self._bucket.list_blobs(prefix=self._prefix + prefix, retry=_RETRY):
                yield ObjectInfo(blob.name.removeprefix(self._prefix), blob.size, blob.updated)
        except (GoogleAPIError, RequestException) as error:
            raise StorageError(f"{self.uri} cannot be listed: check the bucket's name and access.") from error

    def read(self, name: str) -> bytes:
        try:
            return base.retry_policy(DataCorruption)(self._download, name)
        except NotFound as error:
            raise NotFoundError(f"{name} is not in {self.uri}.") from error
        except DataCorruption as error:
            raise ChecksumError(f"{name} arrived damaged from {self.uri}: try again.") from error
        except (GoogleAPIError, RequestException) as error:
            raise StorageError(f"{name} could not be read from {self.uri}: try again later.") from error

    def _download(self, name: str) -> bytes:
        return bytes(self._bucket.blob(self._prefix + name).download_as_bytes(retry=_RETRY))
