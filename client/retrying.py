"""When to ask again, and when to give up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

#: the service is full or loading (it says for how long), or the proxy finds nobody behind it
_RETRIED = frozenset({429, 502, 503})
_LONGEST_PAUSE_S = 10.0


class Patience:
    """How long one caller is ready to wait in all, in seconds."""

    def __init__(
        self,
        seconds: float,
        *,
        wait: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wait, self._clock = wait, clock
        self._ends = clock() + seconds
        self._tries = 0

    def wait_for_answer(self, status: int, headers: Mapping[str, str]) -> bool:
        """Wait as an answer with ``status`` asks for. False: asking again is of no use, or would take too long.

        A 503 without Retry-After says that waiting does not help; a 504 has cost its whole time already.
        """
        if status not in _RETRIED:
            return False
        asked_for = retry_after_s(headers.get("Retry-After"))
        if asked_for is None and status != 502:
            return False
        return self._pause(self._backoff_s() if asked_for is None else asked_for)

    def wait_for_connection(self) -> bool:
        """Wait a little for a service that may be starting. False: long enough."""
        return self._pause(self._backoff_s())

    def _backoff_s(self) -> float:
        return float(min(_LONGEST_PAUSE_S, 0.5 * 2**self._tries))

    def _pause(self, seconds: float) -> bool:
        if self._clock() + seconds > self._ends:
            return False
        self._tries += 1
        self._wait(seconds)
        return True


def retry_after_s(value: str | None, now: datetime | None = None) -> float | None:
    """The seconds that a Retry-After header asks for: a number, or a date (RFC 9110, 10.2.3). None: it says nothing."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())
