"""The analysis as a function call: what it returns, when it is sent again, and what can go wrong."""

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
#: Connect and read. Longer than the service's own 285 s and the load balancer's 330 s, whose errors say more.
_TIMEOUT_S = (10.0, 345.0)
#: a proxy finds no service behind it
_BAD_GATEWAY = 502
#: the service is full or loading, and says for how long
_BUSY = (429, 503)
_GROWING_PAUSE = wait_exponential(multiplier=0.5, max=10)

Photo = str | Path | bytes


class ClientError(Exception):
    """The analysis failed. ``message`` says what to do; ``body`` is the service's error object, if it sent one."""

    def __init__(self, message: str, *, status: int | None = None, body: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.body = dict(body or {})

    @property
    def code(self) -> str | None:
        """The service's stable code for the problem, such as ``damaged_image``."""
        code = (self.body.get("error") or {}).get("code")
        return str(code) if code else None


class RefusedError(ClientError):
    """The service refuses this request, however often it is sent (4xx)."""


class UnavailableError(ClientError):
    """The service cannot answer now: full, loading, out of time, or broken (429, 5xx)."""


class UnreachableError(ClientError):
    """No service answers at this address."""


class Client:
    """A service at ``url``. Several threads may use it; it keeps no connection open between calls."""

    def __init__(self, url: str = DEFAULT_URL, *, key: str | None = None, patience_s: float = 120.0) -> None:
        """``key`` is for a service that asks for one. ``patience_s``: how many seconds each analysis may wait, in all,
        for a service that is full or is starting."""
        self._url = url.rstrip("/")
        self._headers = {"X-API-Key": key} if key else {}
        self._patience_s = patience_s

    def analyze(self, photos: Photo | Iterable[Photo], **fields: object) -> dict[str, Any]:
        """The analysis of one case: one to three photos (paths or bytes) of the same skin.

        ``fields`` are the service's own: age, sex, body_site, modality, k, explain, …; None is left out. Photos are
        sent without their names. Returns the answer as the service sent it.

        Raises:
            RefusedError: the photo or a field cannot be used.
            UnavailableError: the service is full, loading or out of time, and stayed so.
            UnreachableError: nothing answers at the address.
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
    """The service's answer. Raises the ClientError that the response stands for."""
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
    """The response's JSON object; empty if it is none."""
    try:
        body = response.json()
    except requests.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _advice(response: requests.Response) -> str:
    if response.status_code == 401:
        return " Set it with --key or in DERMSERVE_KEY."
    wait = response.headers.get("Retry-After", "")
    return f" It asks to wait {wait} s, longer than this client may wait." if wait.isdigit() else ""


def _unanswered(url: str, error: requests.RequestException) -> ClientError:
    if _may_be_starting(error):
        return UnreachableError(
            f"Nothing answers at {url}. Check the address; `make serve` starts a service on this machine."
        )
    if isinstance(error, requests.Timeout):
        return UnavailableError(f"{url} took the photo and gave no answer in {_TIMEOUT_S[1]:g} s. Try again later.")
    return UnreachableError(f"{url} cannot be asked ({error}). Check the address.")


def _retry_policy(patience_s: float) -> Retrying:
    """Call a function that returns a ``requests.Response``, and call it again while that may help.

    After a 429 or 503, the request waits as Retry-After asks; without that header, waiting does not help. A 502, or a
    refused connection, may mean that the service is starting: pauses double from 0.5 s to 10 s. Nothing else is sent
    again: a 504 has used up its whole time already. When the next pause would end after ``patience_s`` seconds from the
    first call, the last response is returned, or the last exception raised.
    """
    return Retrying(
        retry=retry_if_result(_may_pass) | retry_if_exception(_may_be_starting),
        wait=_pause_s,
        stop=stop_before_delay(patience_s),
        retry_error_callback=lambda state: cast("Future[Any]", state.outcome).result(),
    )


def _may_be_starting(error: BaseException) -> bool:
    """Whether the connection was refused, or broke off."""
    return isinstance(error, requests.ConnectionError) and not isinstance(error, requests.exceptions.SSLError)


def _may_pass(response: requests.Response) -> bool:
    busy = response.status_code in _BUSY and _retry_after_s(response) is not None
    return busy or response.status_code == _BAD_GATEWAY


def _retry_after_s(response: requests.Response) -> float | None:
    """The seconds in Retry-After, which is a number or a date (RFC 9110, 10.2.3); None if there are none."""
    try:
        return Retry().parse_retry_after(response.headers.get("Retry-After", ""))
    except InvalidHeader:
        return None


def _pause_s(state: RetryCallState) -> float:
    asked_for = None if state.outcome is None or state.outcome.failed else _retry_after_s(state.outcome.result())
    return _GROWING_PAUSE(state) if asked_for is None else asked_for
