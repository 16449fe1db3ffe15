"""Puts the application together."""

from __future__ import annotations

from flask import Flask
from flask.json.provider import DefaultJSONProvider

from settings import Settings
from web import http, limits
from web.boot import served
from web.catalogue import catalogue
from web.health import health
from web.mock import MockLoader
from web.pages import pages
from web.process import Process, Served
from web.routes import api
from web.services import Loader, ProductionLoader, Services


def create_app(settings: Settings, process: Process, loader: Loader | None = None) -> Flask:
    """Make the WSGI application. ``process`` describes the process that runs it.

    ``loader`` loads the models and the index; the default follows ``settings``, and raises ArtifactError if ``auto``
    finds no index. Loading starts with ``Served.start``
    or the first request, not here. ``app.extensions["dermserve"]`` is the Services object,
    ``app.extensions["dermserve-served"]`` the Served object.
    """
    # Not /static: the proxy of Elastic Beanstalk serves that path from its own folder.
    app = Flask("web", static_url_path="/assets")
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    if isinstance(app.json, DefaultJSONProvider):
        app.json.sort_keys = False
    if loader is None:
        if settings.ml_available and not settings.use_mock_services:
            settings = served(settings)  # gunicorn's arbiter has chosen already; other servers have not
        loader = MockLoader() if settings.use_mock_services else ProductionLoader(settings, process)
    services = Services(settings, loader, process)
    app.extensions["dermserve"] = services
    app.extensions["dermserve-served"] = Served(services, http.DEFAULT_HEADERS)
    http.install(app, services)
    limits.install(app, settings)
    for part in (api, catalogue, health, pages):
        app.register_blueprint(part)
    return app
