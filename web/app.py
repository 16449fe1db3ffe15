"""The composition root."""

from __future__ import annotations

from flask import Flask
from flask.json.provider import DefaultJSONProvider

from settings import Settings
from web import cross_origin, http
from web.catalogue import catalogue
from web.client import trust_proxies
from web.health import health
from web.limits import Limits
from web.loader import Loader, ProductionLoader
from web.mock import MockLoader
from web.pages import pages
from web.process import Process
from web.routes import api
from web.scrape import scrape
from web.served import Served
from web.services import Services


def create_app(settings: Settings, process: Process, loader: Loader | None = None) -> Flask:
    """The WSGI application, run by ``process``, with what ``loader`` loads: by default what ``settings`` ask for.

    Nothing is loaded yet: ``Served.start`` or the first request begins that. Extensions of the application:
    ``dermserve`` are its Services, ``dermserve-served`` is what the server may ask of it.
    """
    # not /static: Elastic Beanstalk's proxy serves that path from a folder of its own
    app = Flask("web", static_url_path="/assets")
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    if isinstance(app.json, DefaultJSONProvider):
        app.json.sort_keys = False
    services = Services(settings, loader or _loader(settings, process), process)
    app.extensions["dermserve"] = services
    app.extensions["dermserve-served"] = Served(services)
    trust_proxies(app, settings.proxies)
    cross_origin.install(app, settings.cors_origins)
    http.install(app, services)
    app.extensions["dermserve-limits"] = Limits(app, settings)
    for part in (api, catalogue, health, pages, scrape):
        app.register_blueprint(part)
    return app


def _loader(settings: Settings, process: Process) -> Loader:
    return MockLoader() if settings.use_mock_services else ProductionLoader(settings, process)
