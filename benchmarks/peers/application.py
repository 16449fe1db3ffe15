"""This service as it stands, gate, deadlines, metrics and all, with the core's search in place of the analysis.

For gunicorn, with the repository's gunicorn.conf.py: ``benchmarks.peers.application:application``.
"""

from __future__ import annotations

from benchmarks.peers.core import SearchLoader
from server.instance import this_process
from settings import load_or_exit
from web.app import create_app
from web.logs import configure_logging

_settings = load_or_exit()
configure_logging(_settings.log_level)
_process = this_process(_settings)
application = create_app(_settings, _process, SearchLoader(_settings, _process))
