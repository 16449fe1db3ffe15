"""Who may ask for an analysis, and how often. Others are refused before their photo is read."""

from __future__ import annotations

import hmac
import math
import time
from functools import partial
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from flask import Flask, current_app, request
from flask_limiter import Limiter, RateLimitExceeded
from limits.storage import MemoryStorage

from settings import Settings
from web.errors import KeyRequiredError, RateLimitedError

#: A Redis that hangs must not hold up analyses: the worker then counts for itself.
_REDIS_TIMEOUT_S = 0.25
#: the smallest network that an IPv6 customer gets; changing addresses within it costs nothing
_IPV6_PREFIX = 64


def install(app: Flask, settings: Settings) -> None:
    """Make ``admit_caller`` check what ``settings`` ask for, if they ask for anything."""
    if settings.api_keys or settings.rate_limit:
        app.extensions["dermserve-limits"] = _Limits(app, settings)


def admit_caller() -> None:
    """Let the current request's caller pass, and count it.

    Raises KeyRequiredError without a valid key, RateLimitedError over the limit. Wrong keys are counted by address, and
    a valid key from the same address still passes.
    """
    limits: _Limits | None = current_app.extensions.get("dermserve-limits")
    if limits is not None:
        limits.admit()


class _Limits:
    """Keys, and rates by key or address, counted in this worker's memory or, for all workers, in a Redis.

    Windows move: no time span of the limit's length ever holds more requests than the limit.
    """

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._settings = settings
        self._keys = [key.get_secret_value().encode() for key in settings.api_keys]
        self._limiter = _limiter(app, settings)

    def admit(self) -> None:
        key = _given_key() if self._keys else ""
        if self._keys and not self._is_valid(key):
            self._count(self._settings.wrong_key_limit, "wrong key", network(address()))
            raise KeyRequiredError("This service needs a key. Send it as 'Authorization: Bearer …' or 'X-API-Key: …'.")
        if self._settings.rate_limit:
            # A digest, because counts may leave this machine and the key must not.
            caller = f"key {sha256(key.encode()).hexdigest()[:16]}" if key else network(address())
            self._count(self._settings.rate_limit, "analysis", caller)

    def _is_valid(self, given: str) -> bool:
        """Compares with every key, each in constant time, so that the time taken reveals nothing of any key."""
        return bool(sum(hmac.compare_digest(given.encode(), key) for key in self._keys))

    def _count(self, rate: str, scope: str, caller: str) -> None:
        limit = self._limiter.shared_limit(lambda: self._share(rate), scope, key_func=lambda: caller)
        try:
            with limit:
                return
        except RateLimitExceeded as error:
            breached = self._limiter.current_limit
            seconds = breached.reset_at - time.time() if breached else 1
            raise RateLimitedError(
                f"You have sent more than {rate.replace('/', ' requests in one ')}. "
                "Try again after the number of seconds in the Retry-After header.",
                max(1, math.ceil(seconds)),
                limit=rate,
            ) from error

    def _share(self, rate: str) -> str:
        """What this process may admit of ``rate``: all of it while a Redis counts, else its share."""
        if not isinstance(self._limiter.limiter.storage, MemoryStorage):
            return rate
        number, _, unit = rate.partition("/")
        return f"{math.ceil(int(number) / self._settings.gunicorn_workers)}/{unit}"


def address() -> str:
    """The current request's client. It may be no valid address where there are fewer proxies than set."""
    return request.remote_addr or "unknown"


def network(client: str) -> str:
    """What limits count as one client: an IPv4 address, or a /64 network of IPv6."""
    try:
        parsed = ip_address(client)
    except ValueError:
        return client
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((int(parsed), _IPV6_PREFIX), strict=False))


def _given_key() -> str:
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    return (bearer if scheme.lower() == "bearer" else request.headers.get("X-API-Key", "")).strip()


def _limiter(app: Flask, settings: Settings) -> Limiter:
    make = partial(Limiter, address, app=app, strategy="moving-window", key_prefix="dermserve")
    if settings.rate_limit_storage is None:
        return make(storage_uri="memory://")
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    options: dict[str, Any] = {
        "socket_connect_timeout": _REDIS_TIMEOUT_S,
        "socket_timeout": _REDIS_TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
    }
    address_of_redis = settings.rate_limit_storage.get_secret_value()
    return make(storage_uri=address_of_redis, storage_options=options, in_memory_fallback_enabled=True)
