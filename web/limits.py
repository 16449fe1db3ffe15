"""How often one client may ask. Refused before the body is read."""

from __future__ import annotations

import math
import time
from typing import Any

from flask import Flask
from flask_limiter import Limiter, RateLimitExceeded
from limits.storage import MemoryStorage

from settings import Settings
from web.client import address, network
from web.errors import RateLimitedError

#: A Redis that hangs must not hold analyses up: the worker then counts for itself.
_REDIS_TIMEOUT_S = 0.25


class Limits:
    """Rate limits by key or address, counted in this worker's memory or, for all workers, in a Redis.

    Windows move: at no time have more than the limit been let through in the time before it.
    """

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._settings = settings
        self._limiter: Limiter | None = None
        if settings.rate_limit or settings.api_keys:
            self._limiter = _limiter(app, settings)

    def check_analysis(self, key: str | None) -> None:
        """Count an analysis to ``key``, or where none is asked for to the client's address.

        Raises RateLimitedError over the limit.
        """
        if self._settings.rate_limit:
            self._count(self._settings.rate_limit, "analysis", f"key {key}" if key else _network())

    def check_wrong_key(self) -> None:
        """Count a wrong key to the client's address. Raises RateLimitedError over the limit."""
        self._count(self._settings.wrong_key_limit, "wrong key", _network())

    def _count(self, rate: str, scope: str, who: str) -> None:
        limiter = self._limiter
        if limiter is None:
            raise RuntimeError("there is nothing to limit")
        limit = limiter.shared_limit(lambda: self._share(rate, limiter), scope, key_func=lambda: who)
        try:
            with limit:
                return
        except RateLimitExceeded as error:
            breached = limiter.current_limit
            seconds = breached.reset_at - time.time() if breached else 1
            raise RateLimitedError(
                f"More than {rate.replace('/', ' in one ')}. Ask again after the time in the Retry-After header.",
                max(1, math.ceil(seconds)),
                limit=rate,
            ) from error

    def _share(self, rate: str, limiter: Limiter) -> str:
        """What this process may let through of ``rate``: all of it while a Redis counts, else its part."""
        if not isinstance(limiter.limiter.storage, MemoryStorage):
            return rate
        number, _, unit = rate.partition("/")
        return f"{math.ceil(int(number) / self._settings.gunicorn_workers)}/{unit}"


def _network() -> str:
    return network(address())


def _limiter(app: Flask, settings: Settings) -> Limiter:
    storage = settings.rate_limit_storage
    return Limiter(
        _network,
        app=app,
        strategy="moving-window",
        storage_uri=storage.get_secret_value() if storage else "memory://",
        storage_options=_redis_options() if storage else {},
        in_memory_fallback_enabled=storage is not None,
        key_prefix="dermserve",
    )


def _redis_options() -> dict[str, Any]:
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return {
        "socket_connect_timeout": _REDIS_TIMEOUT_S,
        "socket_timeout": _REDIS_TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
    }
