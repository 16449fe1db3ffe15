"""Which worker takes a new connection: the one that has fewest.

All workers of an instance listen on one socket, and whoever wakes first takes what comes: one may compute with others
waiting behind it while its sibling has nothing to do. So each worker writes how many connections it has into memory
that they share, and one that sees a sibling with fewer leaves a new connection to it for a moment.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable

#: what stands for a worker that does not serve: none, or one that loads or leaves
ABSENT = -1
#: a sibling that has not taken a connection after so long is busy with something else
_PATIENCE_S = 0.02
_PAUSE_S = 0.0005
#: connections that come later than this after the last look are others
_SAME_S = 0.05


class ConnectionCounts:
    """Open connections of each worker. To be made before the fork, in the process that forks."""

    def __init__(self, places: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, 4 * places)).cast("i")
        for number in range(places):
            self._counts[number] = ABSENT

    def share(self, number: int) -> Share | None:
        """The part of worker ``number``; None for one too many, which then takes what comes."""
        return Share(self._counts, number) if number < len(self._counts) else None

    def forget(self, number: int) -> None:
        """This worker has ended."""
        if number < len(self._counts):
            self._counts[number] = ABSENT


class Share:
    """One worker's view of the counts."""

    def __init__(self, counts: memoryview[int], number: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._counts = counts
        self._number = number
        self._clock = clock
        self._began = self._looked = -_SAME_S

    def tell(self, connections: int) -> None:
        """How many connections this worker has, or ABSENT."""
        self._counts[self._number] = connections

    def should_wait(self) -> bool:
        """Whether to leave a connection that waits to a sibling; False once it has had its chance."""
        mine = self._counts[self._number]
        others = [count for place, count in enumerate(self._counts) if place != self._number and count != ABSENT]
        if not others or (mine != ABSENT and mine <= min(others)):
            return False
        now = self._clock()
        if now - self._looked > _SAME_S:
            self._began = now
        self._looked = now
        if now - self._began <= _PATIENCE_S:
            return True
        self._began = now
        return False


def pause() -> None:
    """Give a sibling the time to wake."""
    time.sleep(_PAUSE_S)
