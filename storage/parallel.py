"""Work on many things at once, in order and with a bounded number of them in hand."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


def map_ordered(
    function: Callable[[_T], _R], items: Iterable[_T], *, workers: int, ahead: int, name: str = "parallel"
) -> Iterator[_R]:
    """``function`` of each item, in the order of ``items``, computed by ``workers`` threads.

    At most ``ahead`` items are taken from ``items`` before the first result is asked for, which bounds the memory
    whatever the number of items. ``items`` is iterated by the caller's thread. An exception of ``function`` is raised
    in its result's place; whatever ends the iteration, no thread is left behind.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
    waiting: deque[Future[_R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
