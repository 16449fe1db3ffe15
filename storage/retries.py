"""A transfer that broke off or arrived damaged is asked for again: a client library retries a refused request, but not
always a body that ends too soon or has the wrong checksum."""

from __future__ import annotations

import time
from collections.abc import Callable

ATTEMPTS = 4
#: doubled after each attempt
FIRST_WAIT_S = 0.5


def read_again(read: Callable[[], bytes], errors: tuple[type[Exception], ...]) -> bytes:
    """What ``read`` returns; called again, at most ATTEMPTS times in all, while it raises one of ``errors``.

    Raises the last attempt's error.
    """
    for attempt in range(ATTEMPTS - 1):
        try:
            return read()
        except errors:
            time.sleep(FIRST_WAIT_S * 2**attempt)
    return read()
