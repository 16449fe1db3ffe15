"""What became of each request, and the few numbers that sum it up."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: seconds from the moment a request was due within which its answer still is of use
SLO_S = 1.5


@dataclass(frozen=True)
class Outcome:
    """One request. Seconds; ``due`` is when it should have been sent, counted from the start of the run.

    ``latency`` counts from ``due``, not from when the client got round to sending: a server that makes its clients
    wait in line must not look faster for it. ``status`` is None where no answer came, ``problem`` then says why.
    """

    due: float
    latency: float
    status: int | None
    problem: str = ""
    retry_after: bool = False


def summarise(outcomes: Iterable[Outcome], *, begin: float, end: float, by_completion: bool) -> dict[str, Any]:
    """The numbers of the window ``begin`` to ``end``.

    Closed loop (``by_completion``): what was completed in the window counts; open loop: what was due in it.
    Rates are per second, latencies in seconds (of 200s; null where there were none).
    """
    counted = [one for one in outcomes if begin <= one.due + by_completion * one.latency < end]
    served = sorted(one.latency for one in counted if one.status == 200)
    seconds = end - begin
    refused = [one for one in counted if one.status == 503]
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
        "503_without_retry_after": sum(not one.retry_after for one in refused),
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


def middle(runs: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """The median of one number over repeated runs."""
    return median(run.get(name) for run in runs)
