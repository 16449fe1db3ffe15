"""The WSGI entry point for gunicorn and Elastic Beanstalk. Importing it loads no model."""

from server.instance import this_process
from settings import load_or_exit
from web.app import create_app
from web.logs import configure_logging

_settings = load_or_exit()
configure_logging(_settings.log_level)
application = create_app(_settings, this_process(_settings))
