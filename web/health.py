"""Routes for monitoring: liveness, readiness and metrics."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from flask import Blueprint, Response, abort, request

from scin.index.manifest import manifest_digest
from web import __version__
from web.answers.service import LiveAnswer, LoadedIndex, MLState, ReadyAnswer
from web.errors import NotReadyError
from web.openapi import documented
from web.process import State
from web.routes import json_response, services

health = Blueprint("health", __name__)

#: headers that a proxy adds; a request with one of them may come from another machine
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")
_EXAMPLE_ALIVE = LiveAnswer(
    status="ok", version=__version__, mock=False, ml=MLState(available=True, state="ready", reason=None)
)
_EXAMPLE_READY = ReadyAnswer(status="ready", workers={"ready": 2, "expected": 2}, threads={"workers": 2}, index=None)


@health.get("/health")
@documented(LiveAnswer, tag="Service", example=lambda _: _EXAMPLE_ALIVE)
def get_health() -> Response:
    """Check that the process is alive. It answers at once, also while models are loading."""
    own = services()
    available = own.settings.ml_available and own.state is not State.FAILED
    return json_response(
        LiveAnswer(
            status="ok",
            version=__version__,
            mock=own.settings.use_mock_services,
            ml=MLState(available=available, state=own.state.value, reason=own.reason),
        )
    )


@health.get("/health/ready")
@documented(ReadyAnswer, tag="Service", failures=(503,), example=lambda _: _EXAMPLE_READY)
def get_readiness() -> Response:
    """Check that the instance can analyse. It becomes ready when all workers are, and stays ready while one is."""
    own = services()
    instance = own.process.readiness.instance()
    workers = {"ready": instance.workers_ready, "expected": instance.workers_expected}
    if instance.stopping:
        message = "This instance is stopping. Send requests to another one."
        raise NotReadyError(message, 5, workers=workers, state="stopping", reason=None)
    if not instance.ready:
        message = "This instance cannot analyse yet. Ask again in a few seconds."
        raise NotReadyError(message, 5, workers=workers, state=own.state.value, reason=own.reason)
    manifest = own.index_manifest
    index = None
    if manifest:
        index = LoadedIndex(
            name=manifest.name,
            synthetic=manifest.synthetic,
            cases=manifest.cases,
            encoder=manifest.encoder,
            built_at=manifest.built_at,
            digest=manifest_digest(own.settings.index_folder),
        )
    threads = dict(own.process.thread_plan)
    return json_response(ReadyAnswer(status="ready", workers=workers, threads=threads, index=index))


@health.get("/metrics")
@documented(tag="Service", media_type="text/plain", failures=(404, 503))
def get_metrics() -> Response:
    """Get the metrics of all workers in Prometheus's text format. By default only for requests from this machine."""
    own = services()
    if own.settings.metrics == "local" and not _is_local():
        abort(404)
    page, media_type = own.metrics.page(own.process.memory())
    return Response(page, content_type=media_type)


def _is_local() -> bool:
    """Whether the request comes from this machine and was not forwarded by a proxy."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        peer = ip_address(request.remote_addr or "")
    except ValueError:
        return False
    mapped = peer.ipv4_mapped if isinstance(peer, IPv6Address) else None
    return (mapped or peer).is_loopback
