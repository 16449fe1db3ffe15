"""Is the process alive, and can the instance analyse? Two questions, two addresses."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from web import __version__
from web.errors import NotReadyError
from web.readiness import State
from web.routes import services

health = Blueprint("health", __name__)


@health.get("/health")
def live() -> Response:
    """Answers at once, whatever is being loaded."""
    own = services()
    return jsonify(
        {
            "status": "ok",
            "version": __version__,
            "mock": own.settings.use_mock_services,
            "ml": {
                "available": own.settings.ml_available and own.state is not State.FAILED,
                "state": own.state.value,
                "reason": own.reason,
            },
        }
    )


@health.get("/health/ready")
def ready() -> Response:
    """200 once every worker has loaded; later on, while at least one can analyse."""
    own = services()
    instance = own.readiness.instance()
    workers = {"ready": instance.workers_ready, "expected": instance.workers_expected}
    if instance.stopping:
        raise NotReadyError("This instance is being stopped.", 5, workers=workers, state="stopping", reason=None)
    if not instance.ready:
        raise NotReadyError(
            "This instance cannot analyse yet.", 5, workers=workers, state=own.state.value, reason=own.reason
        )
    manifest = own.index_manifest
    index = manifest and {"name": manifest.name, "synthetic": manifest.synthetic, "built_at": manifest.built_at}
    return jsonify({"status": "ready", "workers": workers, "threads": own.threads.facts(), "index": index})
