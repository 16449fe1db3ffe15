"""The page of metrics: for the machine itself, unless the settings say otherwise."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from flask import Blueprint, Response, abort, request

from web.openapi import documented
from web.routes import services

scrape = Blueprint("scrape", __name__)

#: what a proxy on this machine adds to the requests of others
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")


@scrape.get("/metrics")
@documented("text/plain", failures=(404, 503))
def metrics() -> Response:
    """Counts of all workers, in Prometheus's text format."""
    own = services()
    if own.settings.metrics == "local" and not _is_local():
        abort(404)
    page, media_type = own.metrics.page(own.process.memory())
    return Response(page, content_type=media_type)


def _is_local() -> bool:
    """Whether the request was made on this machine, and not handed on by a proxy."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        peer = ip_address(request.remote_addr or "")
    except ValueError:
        return False
    mapped = peer.ipv4_mapped if isinstance(peer, IPv6Address) else None
    return (mapped or peer).is_loopback
