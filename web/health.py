"""Is the process alive, and can the instance analyse? Two questions, two addresses."""

from __future__ import annotations

from flask import Blueprint, Response

from web import __version__
from web.answers import LiveAnswer, MLState, ReadyAnswer
from web.errors import NotReadyError
from web.openapi import documented
from web.process import State
from web.routes import json_response, services

health = Blueprint("health", __name__)


@health.get("/health")
@documented(LiveAnswer, name="health")
def live() -> Response:
    """Whether the process is alive. It answers at once, whatever is being loaded."""
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
@documented(ReadyAnswer, failures=(503,))
def ready() -> Response:
    """Whether the instance can analyse: once every worker has loaded, and then while at least one can."""
    own = services()
    instance = own.process.readiness.instance()
    workers = {"ready": instance.workers_ready, "expected": instance.workers_expected}
    if instance.stopping:
        raise NotReadyError("This instance is being stopped.", 5, workers=workers, state="stopping", reason=None)
    if not instance.ready:
        raise NotReadyError(
            "This instance cannot analyse yet.", 5, workers=workers, state=own.state.value, reason=own.reason
        )
    manifest = own.index_manifest
    index = None
    if manifest:
        index = {"name": manifest.name, "synthetic": manifest.synthetic, "built_at": manifest.built_at}
    threads = dict(own.process.thread_plan)
    return json_response(ReadyAnswer(status="ready", workers=workers, threads=threads, index=index))
