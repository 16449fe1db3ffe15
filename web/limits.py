"""API keys and rate limits. A request is checked before its body is read."""

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

#: short, so that a Redis that hangs does not delay analyses; the worker then counts by itself
_REDIS_TIMEOUT_S = 0.25
#: One customer usually gets a whole /64 network, and can change addresses within it freely.
_IPV6_PREFIX = 64


def install(app: Flask, settings: Settings) -> None:
    """Set up ``admit_caller`` with the keys and limits in ``settings``."""
    if settings.api_keys or settings.rate_limit:
        app.extensions["dermserve-limits"] = _Limits(app, settings)


def admit_caller() -> None:
    """Check the key of the current request and count the request.

    Raises KeyRequiredError without a valid key, and RateLimitedError over the limit. Wrong keys are counted per
    address. A valid key from the same address is still accepted.
    """
    limits: _Limits | None = current_app.extensions.get("dermserve-limits")
    if limits is not None:
        limits.admit()


class _Limits:
    """Checks keys, and counts requests per key or address: in this worker's memory, or in Redis for all workers.

    The window slides: no period of the limit's length contains more requests than the limit.
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
            # A digest, because Redis may be on another machine and the key must stay here.
            caller = f"key {sha256(key.encode()).hexdigest()[:16]}" if key else network(address())
            self._count(self._settings.rate_limit, "analysis", caller)

    def _is_valid(self, given: str) -> bool:
        """Compare with every key, each in constant time, so that the time reveals nothing about the keys."""
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
        """The limit of this process: all of ``rate`` if Redis counts, else ``rate`` divided by the workers."""
        if not isinstance(self._limiter.limiter.storage, MemoryStorage):
            return rate
        number, _, unit = rate.partition("/")
        return f"{math.ceil(int(number) / self._settings.gunicorn_workers)}/{unit}"


def address() -> str:
    """The address of the current request's client. It may be invalid if DERMSERVE_PROXIES is too high."""
    return request.remote_addr or "unknown"


def network(client: str) -> str:
    """The unit that limits count as one client: an IPv4 address, or a /64 network of IPv6."""
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
