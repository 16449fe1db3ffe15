"""How many analyses one process holds. A request over the limit is refused at once, before its photo is read."""

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

    Turns are given in the order of arrival. Nobody is admitted who would wait longer than ``longest_wait_s``: under
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
        """``on_change`` gets, at each change, how many wait and how many compute; ``on_full`` is called when a request
        finds no place. Neither may raise."""
        self._admitted = admitted
        self._running = running
        self._longest_wait_s = longest_wait_s
        self._on_change = on_change
        self._on_full = on_full
        self._clock = clock
        self._lock = threading.Lock()
        self._line: deque[threading.Event] = deque()
        self._computing = 0
        self._service_s = _FIRST_GUESS_S
        #: requests that run or wait, and requests that have left
        self.inside = self.left = 0

    @property
    def in_line(self) -> int:
        """Requests that wait for a turn."""
        return len(self._line)

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Hold a place. Raises BusyError, with the time to wait before asking again, if none is free."""
        with self._lock:
            if self.inside >= self._admitted or self._wait_s() > self._longest_wait_s:
                self._on_full()
                raise self._busy()
            self.inside += 1
            self._changed()
        try:
            yield
        finally:
            with self._lock:
                self.inside -= 1
                self.left += 1
                self._changed()

    @contextmanager
    def run(self, deadline: Deadline) -> Iterator[None]:
        """Compute. Waits for a turn; raises DeadlineExceededError if the request's time ends first.

        The time of a failed request is not counted: a bad file fails at once, and many of them would make
        ``Retry-After`` promise a place that is not free.
        """
        if not self._take_turn(deadline.remaining()):
            deadline.check("queue")
            raise self._busy()
        started = self._clock()
        try:
            yield
            with self._lock:
                self._service_s += _SMOOTHING * (self._clock() - started - self._service_s)
        finally:
            self._pass_turn_on()

    def _take_turn(self, timeout_s: float) -> bool:
        """Wait for a turn; False if none came in time.

        A semaphore would let a newcomer pass those that it has just woken, and send them back to the end of the line.
        """
        with self._lock:
            if self._computing < self._running:
                self._computing += 1
                self._changed()
                return True
            turn = threading.Event()
            self._line.append(turn)
        if turn.wait(timeout_s):
            return True
        with self._lock:
            if turn.is_set():  # the turn came just after the time was up
                return True
            self._line.remove(turn)
            return False

    def _pass_turn_on(self) -> None:
        """Give this turn to the one who has waited longest, so that no newcomer can take it."""
        with self._lock:
            if self._line:
                self._line.popleft().set()
            else:
                self._computing -= 1
                self._changed()

    def _changed(self) -> None:
        """Called with the lock held, so that changes are reported in their order."""
        self._on_change(self.inside - self._computing, self._computing)

    def _wait_s(self) -> float:
        """How long a newcomer would wait for a turn, at the mean service time."""
        return self.inside // self._running * self._service_s

    def _busy(self) -> BusyError:
        """The refusal, with the whole seconds until the requests inside should be done, at the mean service time."""
        seconds = math.ceil(math.ceil(self.inside / self._running) * self._service_s)
        return BusyError(
            "The service is busy. Send the photo again after the number of seconds in the Retry-After header.",
            min(_LONGEST_RETRY_S, max(1, seconds)),
        )


class Lane:
    """A lane of one, for costly extras: a request that finds it taken is refused."""

    def __init__(self, busy: str) -> None:
        """``busy`` is the message of the refusal."""
        self._lock = threading.Lock()
        self._busy = busy

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Raises BusyError if the lane is taken."""
        if not self._lock.acquire(blocking=False):
            raise BusyError(self._busy, 5)
        try:
            yield
        finally:
            self._lock.release()
