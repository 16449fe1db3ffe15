"""How many analyses one process holds. Who is over the limit is told so at once, before its photo is read."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ml.deadline import Deadline
from web.errors import BusyError

#: weight of the newest completed analysis in the mean service time
_SMOOTHING = 0.2
_FIRST_GUESS_S = 1.0
_LONGEST_RETRY_S = 120


class Gate:
    """At most ``admitted`` requests are inside, at most ``running`` of them compute, the rest wait for their turn.

    Turns are given in the order of arrival. Nobody is let in who would wait longer than ``longest_wait_s``: under
    overload a request that is answered too late takes the time of one that could have been answered in time.
    """

    def __init__(
        self,
        *,
        admitted: int,
        running: int,
        longest_wait_s: float = math.inf,
        on_change: Callable[[int, int], None] = lambda waiting, running: None,
        on_full: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``on_change`` is told, at each change, how many wait and how many compute; ``on_full`` that a request finds
        no place. Neither may raise."""
        self._admitted = admitted
        self._running = running
        self._longest_wait_s = longest_wait_s
        self._on_change = on_change
        self._on_full = on_full
        self._clock = clock
        self._lock = threading.Lock()
        self._turns = _Turns(running)
        self._inside = 0
        self._computing = 0
        self._service_s = _FIRST_GUESS_S
        self._left = 0

    @property
    def left(self) -> int:
        """Requests that have been inside and are no more."""
        return self._left

    @property
    def inside(self) -> int:
        """Requests that run or wait."""
        return self._inside

    @property
    def in_line(self) -> int:
        """Requests that wait for a turn."""
        return self._turns.in_line

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Hold a place. Raises BusyError, with the time to wait before asking again, if none is free."""
        with self._lock:
            if self._inside >= self._admitted or self._wait_s() > self._longest_wait_s:
                self._on_full()
                raise BusyError(
                    "The service is busy. Send the photo again after the time in the Retry-After header.",
                    self._retry_after_s(),
                )
            self._change(inside=1)
        try:
            yield
        finally:
            with self._lock:
                self._left += 1
                self._change(inside=-1)

    @contextmanager
    def run(self, deadline: Deadline) -> Iterator[None]:
        """Compute. Waits for a turn; raises DeadlineExceededError if the request's time ends first.

        The time of what fails says nothing about an analysis: a bad file fails at once, and many of them would make
        ``Retry-After`` promise a place that is not free.
        """
        if not self._turns.take(deadline.remaining()):
            deadline.check("queue")
            raise BusyError("The service is busy. Send the photo again.", self._retry_after_s())
        started = self._clock()
        with self._lock:
            self._change(computing=1)
        try:
            yield
            with self._lock:
                self._service_s += _SMOOTHING * (self._clock() - started - self._service_s)
        finally:
            with self._lock:
                self._change(computing=-1)
            self._turns.give_back()

    def _change(self, *, inside: int = 0, computing: int = 0) -> None:
        """Called with the lock, so that changes are told in their order."""
        self._inside += inside
        self._computing += computing
        self._on_change(self._inside - self._computing, self._computing)

    def _wait_s(self) -> float:
        """How long a newcomer would wait for a turn, at the mean service time."""
        return self._inside // self._running * self._service_s

    def _retry_after_s(self) -> int:
        """Whole seconds until the requests inside should be done, at the mean service time."""
        rounds = math.ceil(self._inside / self._running)
        return min(_LONGEST_RETRY_S, max(1, math.ceil(rounds * self._service_s)))


class _Turns:
    """So many at once, first come, first served.

    A semaphore would let a newcomer pass those whom it has just woken, and send them back to the end of the line.
    """

    def __init__(self, free: int) -> None:
        self._lock = threading.Lock()
        self._free = free
        self._line: deque[threading.Lock] = deque()

    @property
    def in_line(self) -> int:
        """How many wait."""
        return len(self._line)

    def take(self, timeout_s: float) -> bool:
        """Wait for a turn; False if none came in time."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            mine = threading.Lock()
            mine.acquire()
            self._line.append(mine)
        if mine.acquire(timeout=max(0.0, timeout_s)):
            return True
        with self._lock:
            if mine in self._line:
                self._line.remove(mine)
                return False
        return True  # it came while we were giving up

    def give_back(self) -> None:
        """The one who has waited longest goes on."""
        with self._lock:
            if self._line:
                self._line.popleft().release()
            else:
                self._free += 1


class Lane:
    """A lane of one for costly extras: whoever comes while it is taken is told to come back."""

    def __init__(self, busy: str) -> None:
        """``busy`` is what a caller is told while the lane is taken."""
        self._lock = threading.Lock()
        self._busy = busy

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Raises BusyError if the lane is taken."""
        if not self._lock.acquire(blocking=False):
            raise BusyError(self._busy, retry_after_s=5)
        try:
            yield
        finally:
            self._lock.release()
