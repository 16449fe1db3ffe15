"""What became of each request, and the few numbers that sum it up."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

#: seconds from the moment a request was due within which its answer is still of use
SLO_S = 1.5


@dataclass(frozen=True)
class Outcome:
    """One request. Seconds; ``due`` counts from the start of the run.

    ``latency`` counts from the moment the request was due, not from when the client sent it: a server that makes its
    clients wait in line must not look faster for it. ``status`` is None where no answer came; ``problem`` says why.
    """

    due: float
    latency: float
    status: int | None
    problem: str = ""
    retry_after: bool = False

    @property
    def is_refused(self) -> bool:
        """Whether the kernel refused the connection: nobody listened."""
        return self.problem == ConnectionRefusedError.__name__

    @property
    def is_lost(self) -> bool:
        """Whether it broke off after it was sent, or got a 503 that does not say when to come back."""
        return (self.status is None and not self.is_refused) or (self.status == 503 and not self.retry_after)


@dataclass
class Tally:
    """What became of every request so far. Other threads may read it while the load goes on."""

    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def answers(self) -> Counter[int]:
        """How many answers had which status; those that are lost are not among them."""
        return Counter(one.status for one in list(self.outcomes) if one.status is not None and not one.is_lost)

    @property
    def refused(self) -> int:
        """Connections that were refused."""
        return sum(one.is_refused for one in list(self.outcomes))

    @property
    def lost(self) -> list[str]:
        """What became of each lost request."""
        return [one.problem or f"{one.status} without Retry-After" for one in list(self.outcomes) if one.is_lost]


def summarise(outcomes: Iterable[Outcome], *, begin: float, end: float, by_completion: bool) -> dict[str, Any]:
    """The numbers of the window from ``begin`` to ``end``.

    Closed loop (``by_completion``): requests that ended in the window count; open loop: those that were due in it.
    Rates are per second, latencies in seconds (of answers with status 200; None where there are none).
    """
    counted = [one for one in outcomes if begin <= one.due + by_completion * one.latency < end]
    served = sorted(one.latency for one in counted if one.status == 200)
    seconds = end - begin
    return {
        "seconds": seconds,
        "requests": len(counted),
        "ok": len(served),
        "offered_per_s": len(counted) / seconds,
        "ok_per_s": len(served) / seconds,
        "goodput_per_s": sum(latency <= SLO_S for latency in served) / seconds,
        **{f"p{percent}_s": percentile(served, percent) for percent in (50, 95, 99)},
        "statuses": dict(sorted(Counter(str(one.status) for one in counted if one.status is not None).items())),
        "problems": dict(sorted(Counter(one.problem for one in counted if one.status is None).items())),
        "503_without_retry_after": sum(one.status == 503 and one.is_lost for one in counted),
    }


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """The nearest-rank percentile of values in ascending order; None of no values."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def median(values: Iterable[float | None]) -> float | None:
    """The middle value, or the mean of the two in the middle; None where there is none."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    middle = len(known) // 2
    return known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2
