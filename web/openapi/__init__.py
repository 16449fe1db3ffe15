"""The interface as an OpenAPI 3.1 document, made from the models that render and the constants that check."""

from web.openapi.document import document, name_of

__all__ = ["document", "name_of"]
