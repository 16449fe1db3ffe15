"""Limits how many analyses one process holds. A request over the limit is refused before its photo is read."""

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
    """Holds at most ``admitted`` requests. At most ``running`` of them compute; the others wait in order of arrival.

    A request that would wait longer than ``longest_wait_s`` is refused. Under overload, a late answer is useless and
    takes time from an answer that could be in time.
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
        """``on_change`` is called at each change with the numbers of waiting and of computing requests. ``on_full`` is
        called when a request is refused. Neither may raise."""
        self._admitted = admitted
        self._running = running
        self._longest_wait_s = longest_wait_s
        self._on_change = on_change
        self._on_full = on_full
        self._clock = clock
        self._lock = threading.Lock()
        self._queue: deque[threading.Event] = deque()
        self._computing = 0
        self._service_s = _FIRST_GUESS_S
        #: numbers of requests: those that compute or wait now, and those that have ended
        self.inside = self.left = 0

    @property
    def waiting(self) -> int:
        """Number of requests that wait for a slot."""
        return len(self._queue)

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Admit a request. Raises BusyError, with the seconds for Retry-After, if the gate is full."""
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
        """Wait for a slot and hold it. Raises DeadlineExceededError if the request's time ends first.

        The time of a failed request is not counted. A bad file fails at once, so many bad files would make
        ``Retry-After`` too short.
        """
        if not self._wait_for_slot(deadline.remaining()):
            deadline.check("queue")
            raise self._busy()
        started = self._clock()
        try:
            yield
            with self._lock:
                self._service_s += _SMOOTHING * (self._clock() - started - self._service_s)
        finally:
            self._release_slot()

    def _wait_for_slot(self, timeout_s: float) -> bool:
        """Wait for a slot. False if none became free in time.

        A semaphore does not keep the order: a new request may take the slot of the thread that was just woken.
        """
        with self._lock:
            if self._computing < self._running:
                self._computing += 1
                self._changed()
                return True
            slot = threading.Event()
            self._queue.append(slot)
        if slot.wait(timeout_s):
            return True
        with self._lock:
            if slot.is_set():  # the slot came between the timeout and the lock
                return True
            self._queue.remove(slot)
            return False

    def _release_slot(self) -> None:
        """Give the slot directly to the request that has waited longest, so that no new request can take it."""
        with self._lock:
            if self._queue:
                self._queue.popleft().set()
            else:
                self._computing -= 1
                self._changed()

    def _changed(self) -> None:
        """Report a change. The caller holds the lock, so changes are reported in order."""
        self._on_change(self.inside - self._computing, self._computing)

    def _wait_s(self) -> float:
        """Expected wait of a new request, in seconds, at the mean service time."""
        return self.inside // self._running * self._service_s

    def _busy(self) -> BusyError:
        """The refusal. Retry-After is the expected time until all admitted requests have ended, in whole seconds."""
        seconds = math.ceil(math.ceil(self.inside / self._running) * self._service_s)
        return BusyError(
            "The service is busy. Send the photo again after the number of seconds in the Retry-After header.",
            min(_LONGEST_RETRY_S, max(1, seconds)),
        )


class Slot:
    """Allows one costly task at a time. A second request is refused."""

    def __init__(self, busy: str) -> None:
        """``busy`` is the message of the refusal."""
        self._lock = threading.Lock()
        self._busy = busy

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Hold the slot. Raises BusyError if it is taken."""
        if not self._lock.acquire(blocking=False):
            raise BusyError(self._busy, 5)
        try:
            yield
        finally:
            self._lock.release()
