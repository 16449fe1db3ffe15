"""When a request is sent again, and when the client gives up. The same policy for threads and for async code."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypedDict, cast

import anyio
import httpx
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    Retrying,
    retry_if_exception,
    retry_if_result,
    stop_before_delay,
    wait_exponential,
)
from tenacity.retry import retry_base
from tenacity.stop import stop_base

from .errors import ClientError, UnavailableError, UnreachableError
from .responses import json_object

#: a proxy cannot reach the service
_BAD_GATEWAY = 502
#: the rate limit is reached, or the service is full or loading
_BUSY = (429, 503)
_GROWING_PAUSE = wait_exponential(multiplier=0.5, max=10)


class _Policy(TypedDict):
    retry: retry_base
    wait: Callable[[RetryCallState], float]
    stop: stop_base
    retry_error_callback: Callable[[RetryCallState], Any]


def retrying(patience_s: float) -> Retrying:
    """Calls a function that returns a ``httpx.Response`` until its result is final.

    A 429 or 503 with Retry-After is retried after that time. The service may be starting if a proxy answers in its
    place (502, or 503 without JSON) or if the connection is refused or breaks; then the pauses double from 0.5 s to
    10 s. Other results are final. The retries end when the next pause would end more than ``patience_s`` seconds after
    the first call. Then the last response is returned, or the last exception is raised.
    """
    return Retrying(sleep=time.sleep, **_policy(patience_s))


def async_retrying(patience_s: float) -> AsyncRetrying:
    """As ``retrying``, for a coroutine function."""
    return AsyncRetrying(sleep=anyio.sleep, **_policy(patience_s))


def retry_after_s(response: httpx.Response) -> float | None:
    """Seconds to wait by Retry-After, a number or a date (RFC 9110, 10.2.3). None without a valid header."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def may_be_starting(error: BaseException) -> bool:
    """Whether the connection was refused or broken. Waiting changes no certificate and no unknown name of a host."""
    broken = isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError | httpx.ConnectTimeout)
    return broken and not any(isinstance(cause, ssl.SSLError | socket.gaierror) for cause in _causes(error))


def unanswered(url: str, error: Exception, longest_s: float) -> ClientError:
    """The error for a request that got no response within ``longest_s`` seconds, or none at all."""
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return UnreachableError(
            f"{url} is not the address of a service. Check the address; it begins with http:// or https://."
        )
    if may_be_starting(error):
        return UnreachableError(
            f"Nothing answers at {url}. Check the address; `make serve` starts a service on this machine."
        )
    if isinstance(error, httpx.TimeoutException):
        return UnavailableError(f"{url} accepted the request but did not answer in {longest_s:g} s. Try again later.")
    return UnreachableError(f"The request to {url} failed ({error}). Check the address.")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _policy(patience_s: float) -> _Policy:
    return {
        "retry": retry_if_result(_may_pass) | retry_if_exception(may_be_starting),
        "wait": _pause_s,
        "stop": stop_before_delay(patience_s),
        "retry_error_callback": lambda state: cast("Future[Any]", state.outcome).result(),
    }


def _may_pass(response: httpx.Response) -> bool:
    if response.status_code in _BUSY and retry_after_s(response) is not None:
        return True
    return response.status_code == _BAD_GATEWAY or (response.status_code == 503 and not json_object(response))


def _pause_s(state: RetryCallState) -> float:
    asked_for = None if state.outcome is None or state.outcome.failed else retry_after_s(state.outcome.result())
    return _GROWING_PAUSE(state) if asked_for is None else asked_for
