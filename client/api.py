"""The analysis as a function call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import requests

from client.errors import ClientError, RefusedError, UnavailableError, UnreachableError
from client.retry import may_be_starting, retry_policy

DEFAULT_URL = "http://127.0.0.1:8000"
_ANALYSIS = "/api/analyze/skin"
#: longer than the service's own 285 s and the load balancer's 330 s: theirs is the clearer answer
_TIMEOUT_S = (10.0, 345.0)

_START = "`make serve` starts a service on this machine."

Photo = str | Path | bytes


class Client:
    """A service at ``url``. Safe to use from several threads; keeps no connection open between calls."""

    def __init__(self, url: str = DEFAULT_URL, *, key: str | None = None, patience_s: float = 120.0) -> None:
        """``key`` is sent where the service asks for one; ``patience_s``: seconds to wait for one that is full or not
        up yet, in all, for each analysis."""
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
        return self._post(files, {name: _text(value) for name, value in fields.items() if value is not None})

    def _post(self, files: list[tuple[str, tuple[str, bytes]]], fields: Mapping[str, str]) -> dict[str, Any]:
        ask_again = retry_policy(self._patience_s)
        address = self._url + _ANALYSIS
        try:
            response = ask_again(
                requests.post, address, files=files, data=fields, headers=self._headers, timeout=_TIMEOUT_S
            )
        except requests.RequestException as error:
            raise _unasked(self._url, error) from error
        if not response.ok:
            raise _error(response)
        return _answer(response)


def _unasked(url: str, error: requests.RequestException) -> ClientError:
    if may_be_starting(error):
        return UnreachableError(f"Nothing answers at {url}. Is it the right address? {_START}")
    if isinstance(error, requests.Timeout):
        return UnavailableError(f"{url} took the photo and gave no answer in {_TIMEOUT_S[1]:g} s. Try again later.")
    return UnreachableError(f"{url} cannot be asked ({error}). Check the address.")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _answer(response: requests.Response) -> dict[str, Any]:
    body = _json(response)
    if body is None or "success" not in body:
        raise UnreachableError(
            "What answers at this address is not DermServe. Check the address.", status=response.status_code
        )
    return body


def _error(response: requests.Response) -> ClientError:
    body = _json(response) or {}
    said = body.get("error")
    told = said.get("message") if isinstance(said, dict) else None
    kind = UnavailableError if response.status_code == 429 or response.status_code >= 500 else RefusedError
    message = str(told or f"The service answered {response.status_code} {response.reason}.")
    return kind(message + _advice(response), status=response.status_code, body=body if isinstance(said, dict) else {})


def _advice(response: requests.Response) -> str:
    if response.status_code == 401:
        return " Give it with --key or in DERMSERVE_KEY."
    wait = response.headers.get("Retry-After")
    return f" It asks to wait {wait} s, longer than this client was told to." if wait and wait.isdigit() else ""


def _json(response: requests.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except requests.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None
