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
from web.metrics import Metrics
from web.mock import MockLoader
from web.pages import pages
from web.readiness import Readiness
from web.routes import api
from web.scrape import scrape
from web.services import Services


def create_app(settings: Settings, services: Services | None = None) -> Flask:
    """The WSGI application. Nothing is loaded yet: ``Services.start`` or the first request begins that."""
    # not /static: Elastic Beanstalk's proxy serves that path from a folder of its own
    app = Flask("web", static_url_path="/assets")
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    if isinstance(app.json, DefaultJSONProvider):
        app.json.sort_keys = False
    services = services or make_services(settings)
    app.extensions["dermserve"] = services
    trust_proxies(app, settings.proxies)
    cross_origin.install(app, settings.cors_origins)
    http.install(app, services)
    app.extensions["dermserve-limits"] = Limits(app, settings)
    for part in (api, catalogue, health, pages, scrape):
        app.register_blueprint(part)
    return app


def make_services(settings: Settings) -> Services:
    """The services that ``settings`` ask for."""
    metrics = Metrics(settings.run_dir, settings.worker)
    loader: Loader = MockLoader() if settings.use_mock_services else ProductionLoader(settings)
    return Services(settings, loader, Readiness(settings.run_dir, settings.gunicorn_workers), metrics)
