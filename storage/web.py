"""Files below an https address. A web server does not list its files, so the caller must know their names."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from storage import base
from storage.base import NotFoundError, ObjectInfo, StorageError

#: for failed requests; a longer Retry-After is cut to base.LONGEST_WAIT_S
_RETRY = Retry(
    total=base.ATTEMPTS - 1,
    backoff_factor=base.FIRST_WAIT_S,
    backoff_max=base.LONGEST_WAIT_S,
    status_forcelist=(429, 500, 502, 503, 504),
    raise_on_status=False,
    retry_after_max=base.LONGEST_WAIT_S,
)


class WebStorage:
    """Files at ``uri``/name. Temporary failures and broken transfers are retried; Retry-After is respected."""

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        self._session = requests.Session()
        self._session.mount("https://", HTTPAdapter(max_retries=_RETRY))
        self._session.mount("http://", HTTPAdapter(max_retries=_RETRY))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        raise StorageError(f"{self.uri} cannot be listed: it is a web server. Use gs://, s3:// or a folder.")

    def read(self, name: str) -> bytes:
        try:
            return base.retry_policy(requests.exceptions.ChunkedEncodingError)(self._download, name)
        except requests.RequestException as error:
            raise StorageError(f"{name} could not be read from {self.uri}: try again later.") from error

    def _download(self, name: str) -> bytes:
        answer = self._session.get(f"{self.uri}/{quote(name)}", timeout=(base.CONNECT_TIMEOUT_S, base.READ_TIMEOUT_S))
        if answer.status_code == requests.codes.not_found:
            raise NotFoundError(f"{name} is not at {self.uri}.")
        if not answer.ok:
            raise StorageError(f"{self.uri} answered {answer.status_code} for {name}.")
        return answer.content
