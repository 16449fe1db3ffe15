"""The retry policy for a transfer that broke off or arrived damaged: a client library retries a refused request by its
own policy, but not always a body that ends too soon or has the wrong checksum."""

from __future__ import annotations

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

ATTEMPTS = 4
#: doubled after each attempt
FIRST_WAIT_S = 0.5


def retry_policy(*errors: type[Exception]) -> Retrying:
    """Calls a function at most ATTEMPTS times in all, while it raises one of ``errors``; the last of them is raised."""
    return Retrying(
        retry=retry_if_exception_type(errors),
        wait=wait_exponential(multiplier=FIRST_WAIT_S),
        stop=stop_after_attempt(ATTEMPTS),
        reraise=True,
    )
