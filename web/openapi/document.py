"""The whole document."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from settings import Settings
from web import __version__, catalogue_schemas, schemas
from web.openapi.operations import PARAMETERS, paths
from web.openapi.profiles import profile_answers
from web.openapi.responses import HEADERS
from web.rendering import DISCLAIMER

_REF = "#/components/schemas/"
_ANSWERS: tuple[type[BaseModel], ...] = (
    schemas.AnalysisAnswer,
    *profile_answers(),
    schemas.CapabilityAnswer,
    schemas.ErrorAnswer,
    catalogue_schemas.ModelsAnswer,
    catalogue_schemas.ConditionsAnswer,
    catalogue_schemas.MeasuresAnswer,
    catalogue_schemas.LabelAnswer,
    catalogue_schemas.LiveAnswer,
    catalogue_schemas.ReadyAnswer,
)


@lru_cache(maxsize=4)
def document(settings: Settings) -> dict[str, Any]:
    """OpenAPI 3.1 of the service as it is set. Not to be changed: it is made once."""
    components: dict[str, Any] = {"schemas": _schemas(), "headers": HEADERS, "parameters": PARAMETERS}
    if settings.api_keys:
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "DermServe",
            "version": __version__,
            "description": DISCLAIMER,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths(settings),
        "components": components,
    }


def name_of(reference: str) -> str:
    """The schema's name in a reference."""
    return reference.removeprefix(_REF)


def _schemas() -> dict[str, Any]:
    _, definitions = models_json_schema([(model, "serialization") for model in _ANSWERS], ref_template=_REF + "{model}")
    found: dict[str, Any] = definitions["$defs"]
    return found
