"""The retry policy: when to ask again, and when to give up."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, cast

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception, retry_if_result, stop_before_delay, wait_exponential
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

#: a proxy finds nobody behind it
_BAD_GATEWAY = 502
#: the service is full or loading, and says for how long
_BUSY = frozenset({429, 503})
_GROWING_PAUSE = wait_exponential(multiplier=0.5, max=10)


def retry_policy(patience_s: float) -> Retrying:
    """Calls a function that returns a ``requests.Response``, and calls it again while that may help.

    A 429 or 503 is waited for as its Retry-After asks; without one, waiting does not help. A 502, and a service that
    does not accept connections, may be starting: pauses double from 0.5 s to 10 s. Nothing else is asked again: a 504
    has cost its whole time already. When the next pause would end after ``patience_s`` seconds from the first call,
    the last response is returned, or the last exception raised.
    """
    return Retrying(
        retry=retry_if_result(_may_pass) | retry_if_exception(may_be_starting),
        wait=_pause_s,
        stop=stop_before_delay(patience_s),
        retry_error_callback=lambda state: cast("Future[Any]", state.outcome).result(),
    )


def may_be_starting(error: BaseException) -> bool:
    """Whether no connection came about, or it broke off."""
    return isinstance(error, requests.ConnectionError) and not isinstance(error, requests.exceptions.SSLError)


def retry_after_s(response: requests.Response) -> float | None:
    """The seconds that Retry-After asks for, as a number or a date (RFC 9110, 10.2.3). None: it says nothing."""
    try:
        return Retry().parse_retry_after(response.headers.get("Retry-After", ""))
    except InvalidHeader:
        return None


def _may_pass(response: requests.Response) -> bool:
    busy = response.status_code in _BUSY and retry_after_s(response) is not None
    return busy or response.status_code == _BAD_GATEWAY


def _pause_s(state: RetryCallState) -> float:
    asked_for = None if state.outcome is None or state.outcome.failed else retry_after_s(state.outcome.result())
    return _GROWING_PAUSE(state) if asked_for is None else asked_for
