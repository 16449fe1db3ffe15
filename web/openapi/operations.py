"""What a route declares about itself for the document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from web.answers.service import ErrorAnswer
from web.services import Services

View = TypeVar("View", bound=Callable[..., Any])
Tag = Literal["Analysis", "Catalogues", "Service"]

#: tag → what its operations have in common
TAGS: Mapping[Tag, str] = {
    "Analysis": "Send photos, get answers.",
    "Catalogues": "What answers may name: models, conditions, measures, cases.",
    "Service": "The state of the service, and the description of its API.",
}


@dataclass(frozen=True)
class Operation:
    """The arguments that a route gave to ``documented``."""

    tag: Tag
    answer: type[BaseModel] | None
    media_type: str
    name: str = ""
    request: type[BaseModel] | None = None
    failures: tuple[int, ...] = ()
    also: Mapping[int, type[BaseModel]] = field(default_factory=dict)
    example: Callable[[Services], BaseModel] | None = None
    translated: bool = False
    cacheable: bool = False

    @property
    def models(self) -> list[type[BaseModel]]:
        """The models of its answers, errors included."""
        return [*([self.answer] if self.answer else []), *self.also.values(), ErrorAnswer]


#: route → what it declared
OPERATIONS: dict[Callable[..., Any], Operation] = {}


def paragraphs(*docstrings: str | None) -> str:
    """The paragraphs of docstrings, each in one line."""
    found = "\n\n".join(text for text in docstrings if text).split("\n\n")
    return "\n\n".join(line for one in found if (line := " ".join(one.split())))


def documented(
    answer: type[BaseModel] | None = None,
    *,
    tag: Tag,
    media_type: str = "application/json",
    name: str = "",
    request: type[BaseModel] | None = None,
    failures: tuple[int, ...] = (),
    also: Mapping[int, type[BaseModel]] | None = None,
    example: Callable[[Services], BaseModel] | None = None,
    translated: bool = False,
    cacheable: bool = False,
) -> Callable[[View], View]:
    """Decorator that adds a route to the document.

    ``answer`` is the model of its answer; None if that is not JSON of a model. ``media_type`` is that of the answer.
    ``name`` is the operation's id, by default the function's name. ``request`` is the model of the request body, which
    has photos. ``failures`` are error statuses in addition to 405 and 500, which every route has. ``also`` maps an
    error status to a second possible body. ``example`` makes an answer to show. ``translated``: whether texts of the
    answer follow Accept-Language. ``cacheable``: whether it has an ETag.
    """

    def declare(view: View) -> View:
        OPERATIONS[view] = Operation(
            tag,
            answer,
            media_type,
            name or view.__name__,
            request,
            failures,
            also or {},
            example,
            translated,
            cacheable,
        )
        return view

    return declare
