"""The OpenAPI 3.1 document: made from the models of requests and answers, and from the ``documented`` decorator of each
route. The first line of a route's docstring is its summary, the rest its description."""

from web.openapi.document import document, resolve
from web.openapi.inputs import IMAGE_TYPES
from web.openapi.operations import documented

__all__ = ["IMAGE_TYPES", "document", "documented", "resolve"]
