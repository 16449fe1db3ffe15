"""This service as it stands, gate, deadlines, metrics and all, with the core's search in place of the analysis.

For gunicorn, with the repository's gunicorn.conf.py: ``benchmarks.peers.application:application``.
"""

from __future__ import annotations

from benchmarks.peers.core import SearchLoader
from settings import load_or_exit
from web.app import create_app
from web.logs import configure_logging
from web.metrics import Metrics
from web.readiness import Readiness
from web.services import Services

_settings = load_or_exit()
configure_logging(_settings.log_level)
application = create_app(
    _settings,
    Services(
        _settings,
        SearchLoader(_settings),
        Readiness(_settings.run_dir, _settings.gunicorn_workers),
        Metrics(_settings.run_dir, _settings.worker),
    ),
)
