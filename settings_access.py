"""The settings of who may call the service, from where, and how often."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from settings_fields import of

_ORIGIN = re.compile(r"https?://[^\s/,*?#@]+")
_RATE = re.compile(r"[1-9][0-9]{0,5}/(second|minute|hour|day)")
_REDIS = re.compile(r"(rediss?://|redis\+unix:///)\S+")


class AccessSettings(BaseSettings):
    """Keys, origins, limits, and the proxies that are believed."""

    cors_origins: Annotated[tuple[str, ...], NoDecode] = of(
        "DERMSERVE_CORS_ORIGINS",
        (),
        "Web origins whose pages may call the API.",
        allowed="a comma-separated list of origins such as https://app.example.org",
    )
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = of(
        "DERMSERVE_API_KEYS",
        (),
        "When set, an analysis needs one of these keys as `Authorization: Bearer …` or `X-API-Key`.",
        allowed="a comma-separated list of keys of at least 16 characters",
    )
    rate_limit: str = of(
        "DERMSERVE_RATE_LIMIT",
        "",
        "Analyses that one client (one key, or without keys one address) may ask for; none: no limit. "
        "Divided among the workers, and so approximate, unless DERMSERVE_RATE_LIMIT_STORAGE is set.",
        allowed="a number and a time, such as 60/minute (second, minute, hour or day)",
    )
    wrong_key_limit: str = of(
        "DERMSERVE_WRONG_KEY_LIMIT",
        "30/minute",
        "Wrong keys from one address that are answered with 401; more get 429. A right key from the same address is "
        "served all the same.",
        allowed="a number and a time, such as 60/minute (second, minute, hour or day)",
    )
    rate_limit_storage: SecretStr | None = of(
        "DERMSERVE_RATE_LIMIT_STORAGE",
        None,
        "A Redis that counts for all workers and instances, so that limits are exact. Without it each worker counts "
        "for itself; so it does while the Redis does not answer.",
        allowed="a redis://, rediss:// or redis+unix:// address",
    )
    proxies: int = of(
        "DERMSERVE_PROXIES",
        0,
        "Proxies before the service, each of which adds one address to X-Forwarded-For: the client's is the one that "
        "the outermost added. Elastic Beanstalk has two, the load balancer and nginx. 0: the connection's own address.",
        within=(0, 9),
    )

    @field_validator("cors_origins", "api_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_ORIGIN.fullmatch(origin) for origin in origins):
            raise ValueError("not an origin")
        return origins

    @field_validator("api_keys")
    @classmethod
    def _check_keys(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < 16 for key in keys):
            raise ValueError("too short")
        return keys

    @field_validator("rate_limit", "wrong_key_limit")
    @classmethod
    def _check_rate(cls, rate: str) -> str:
        if rate and not _RATE.fullmatch(rate):
            raise ValueError("not a rate")
        return rate

    @field_validator("rate_limit_storage")
    @classmethod
    def _check_storage(cls, address: SecretStr | None) -> SecretStr | None:
        if address and not _REDIS.fullmatch(address.get_secret_value()):
            raise ValueError("not an address of a Redis")
        return address
