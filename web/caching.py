"""Lets clients and caches keep answers, and answers 304 to those that have the current one."""

from __future__ import annotations

from flask import Response, request


def cacheable(response: Response, *, seconds: int = 0, private: bool = False) -> Response:
    """``response`` with an ETag, which may be kept for ``seconds``. With 0, a cache asks before each use whether it has
    changed. ``private``: only the client itself may keep it. 304 without a body if the client has it already.

    The ETag is weak, because the same answer is sent uncompressed, with gzip and with zstd.
    """
    control = response.cache_control
    if private:
        control.private = True
    else:
        control.public = True
    if seconds:
        control.max_age = seconds
    else:
        control.no_cache = True
    response.add_etag(weak=True)
    response.make_conditional(request)
    return response
