"""Who may ask for an analysis: callers with a key, where keys are set, and none too often."""

from __future__ import annotations

import hmac
from hashlib import sha256

from flask import current_app, request

from settings import Settings
from web.errors import KeyRequiredError
from web.limits import Limits


def admit_caller(settings: Settings) -> None:
    """Raises KeyRequiredError for a caller without a key that is known, RateLimitedError for one who asks too often.

    Wrong keys are counted to their address; the right key from the same address is let in all the same.
    """
    limits = current_app.extensions["dermserve-limits"]
    assert isinstance(limits, Limits)
    key = _given_key() if settings.api_keys else None
    if key is not None and not _is_known(key, settings):
        limits.check_wrong_key()
        raise KeyRequiredError("This service needs a key: send it as 'Authorization: Bearer …' or 'X-API-Key'.")
    limits.check_analysis(_name(key))


def _given_key() -> str:
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    return (bearer if scheme.lower() == "bearer" else request.headers.get("X-API-Key", "")).strip()


def _is_known(given: str, settings: Settings) -> bool:
    """Every key is compared, each in constant time: the time taken says nothing about any of them."""
    known = [key.get_secret_value().encode() for key in settings.api_keys]
    return bool(sum(hmac.compare_digest(given.encode(), key) for key in known))


def _name(key: str | None) -> str | None:
    """A key's name in the counts, which may leave this machine: the key itself must not."""
    return sha256(key.encode()).hexdigest()[:16] if key else None
