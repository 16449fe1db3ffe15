"""A new connection goes to the worker that has the fewest.

All workers listen on one socket, and the first one to wake accepts. So requests could wait behind one worker while
another has nothing to do. Each worker therefore writes the number of its connections into shared memory, and leaves a
new connection for a moment to a sibling that has fewer.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable

#: the count of a worker that does not serve: there is none, or it loads or leaves
ABSENT = -1
#: a sibling that has not taken a connection after so long is busy with something else
_PATIENCE_S = 0.02
_PAUSE_S = 0.0005
#: a connection that is seen later than this after the last one is another one
_SAME_S = 0.05


class ConnectionCounts:
    """Open connections of each worker. Make it before the fork, in the process that forks."""

    def __init__(self, places: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, 4 * places)).cast("i")
        for number in range(places):
            self._counts[number] = ABSENT

    def share(self, number: int) -> Share | None:
        """The entry of worker ``number``, or None if there is none: that worker then accepts whatever comes."""
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

    def report(self, connections: int) -> None:
        """How many connections this worker has, or ABSENT."""
        self._counts[self._number] = connections

    def should_wait(self) -> bool:
        """Whether to leave a waiting connection to a sibling. False if no sibling has taken it in time."""
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
