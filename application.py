"""The WSGI entry point for gunicorn and Elastic Beanstalk. Importing it loads no model."""

from server.instance import settings_of_this_process, this_process
from web.app import create_app
from web.logs import configure_logging

_settings = settings_of_this_process()
configure_logging(_settings.log_level)
application = create_app(_settings, this_process(_settings))
