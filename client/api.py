"""The client for Python programs: sends photos, retries, and returns the answer or raises an error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception, retry_if_result, stop_before_delay, wait_exponential
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

DEFAULT_URL = "http://127.0.0.1:8000"
_ANALYSIS = "/api/analyze/skin"
#: (connect, read). The read timeout is longer than the service's 285 s and the load balancer's 330 s, because their own
#: timeout errors are more helpful.
_TIMEOUT_S = (10.0, 345.0)
#: a proxy cannot reach the service
_BAD_GATEWAY = 502
#: the service is full or loading, or the rate limit is reached
_BUSY = (429, 503)
_GROWING_PAUSE = wait_exponential(multiplier=0.5, max=10)

Photo = str | Path | bytes


class ClientError(Exception):
    """The analysis failed. ``message`` says what to do. ``body`` is the service's error object, or empty."""

    def __init__(self, message: str, *, status: int | None = None, body: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.body = dict(body or {})

    @property
    def code(self) -> str | None:
        """The service's error code, such as ``damaged_image``. Codes are stable."""
        code = (self.body.get("error") or {}).get("code")
        return str(code) if code else None


class RefusedError(ClientError):
    """The service refuses this request, and a retry does not help (4xx except 429)."""


class UnavailableError(ClientError):
    """The service cannot answer now: full, loading, out of time, or broken (429, 5xx)."""


class UnreachableError(ClientError):
    """No service answers at this address."""


class Client:
    """A client of the service at ``url``. Thread-safe. It keeps no connection open between calls."""

    def __init__(self, url: str = DEFAULT_URL, *, key: str | None = None, patience_s: float = 120.0) -> None:
        """``key`` is an API key, if the service needs one. ``patience_s`` is the total number of seconds that one
        analysis may wait for a service that is full or starting."""
        self._url = url.rstrip("/")
        self._headers = {"X-API-Key": key} if key else {}
        self._patience_s = patience_s

    def analyze(self, photos: Photo | Iterable[Photo], **fields: object) -> dict[str, Any]:
        """Analyse one case: one to three photos (paths or bytes) of the same skin.

        ``fields`` are the fields of the API: age, sex, body_site, modality, k, explain, …; a field that is None is not
        sent. File names are not sent. Returns the service's answer.

        Raises:
            RefusedError: the photo or a field cannot be used.
            UnavailableError: the service is still full, loading or too slow after the retries.
            UnreachableError: no service answers at the address.
            OSError: a file cannot be read.
        """
        given = [photos] if isinstance(photos, str | Path | bytes) else photos
        views = [photo if isinstance(photo, bytes) else Path(photo).read_bytes() for photo in given]
        files = [("image", (f"view-{number}", view)) for number, view in enumerate(views, start=1)]
        texts = {name: _text(value) for name, value in fields.items() if value is not None}
        address, headers = self._url + _ANALYSIS, self._headers
        try:
            response = _retry_policy(self._patience_s)(
                requests.post, address, files=files, data=texts, headers=headers, timeout=_TIMEOUT_S
            )
        except requests.RequestException as error:
            raise _unanswered(self._url, error) from error
        return _answer(response)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _answer(response: requests.Response) -> dict[str, Any]:
    """The service's answer. Raises the matching ClientError if the response is not an analysis."""
    body, status = _json(response), response.status_code
    if response.ok and "success" in body:
        return body
    if response.ok:
        raise UnreachableError("The server at this address is not DermServe. Check the address.", status=status)
    error = body.get("error")
    sent = error.get("message") if isinstance(error, dict) else None
    message = str(sent or f"The service answered {status} {response.reason}.") + _advice(response)
    kind = UnavailableError if status == 429 or status >= 500 else RefusedError
    raise kind(message, status=status, body=body if isinstance(error, dict) else {})


def _json(response: requests.Response) -> dict[str, Any]:
    """The response's JSON object. Empty if the body is anything else."""
    try:
        body = response.json()
    except requests.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _advice(response: requests.Response) -> str:
    if response.status_code == 401:
        return " Set it with --key or in DERMSERVE_KEY."
    wait = response.headers.get("Retry-After", "")
    return f" The service asks to wait {wait} s, which is longer than this client waits." if wait.isdigit() else ""


def _unanswered(url: str, error: requests.RequestException) -> ClientError:
    if _may_be_starting(error):
        return UnreachableError(
            f"Nothing answers at {url}. Check the address; `make serve` starts a service on this machine."
        )
    if isinstance(error, requests.Timeout):
        return UnavailableError(f"{url} accepted the photo but did not answer in {_TIMEOUT_S[1]:g} s. Try again later.")
    return UnreachableError(f"The request to {url} failed ({error}). Check the address.")


def _retry_policy(patience_s: float) -> Retrying:
    """Retries a function that returns a ``requests.Response``.

    A 429 or 503 with Retry-After is retried after that time. A 502 or a refused connection may mean that the service is
    starting; it is retried with pauses that double from 0.5 s to 10 s. Other results are not retried. The retries end
    when the next pause would end more than ``patience_s`` seconds after the first call. Then the last response is
    returned, or the last exception is raised.
    """
    return Retrying(
        retry=retry_if_result(_may_pass) | retry_if_exception(_may_be_starting),
        wait=_pause_s,
        stop=stop_before_delay(patience_s),
        retry_error_callback=lambda state: cast("Future[Any]", state.outcome).result(),
    )


def _may_be_starting(error: BaseException) -> bool:
    """Whether the connection was refused or broken."""
    return isinstance(error, requests.ConnectionError) and not isinstance(error, requests.exceptions.SSLError)


def _may_pass(response: requests.Response) -> bool:
    busy = response.status_code in _BUSY and _retry_after_s(response) is not None
    return busy or response.status_code == _BAD_GATEWAY


def _retry_after_s(response: requests.Response) -> float | None:
    """Seconds to wait by Retry-After, a number or a date (RFC 9110, 10.2.3). None without a valid header."""
    try:
        return Retry().parse_retry_after(response.headers.get("Retry-After", ""))
    except InvalidHeader:
        return None


def _pause_s(state: RetryCallState) -> float:
    asked_for = None if state.outcome is None or state.outcome.failed else _retry_after_s(state.outcome.result())
    return _GROWING_PAUSE(state) if asked_for is None else asked_for
