"""What all models of answers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr


class Answer(BaseModel):
    """An answer of the service, or a part of one.

    A field that the answer leaves out is None or has its default. Fields that this version of the client does not know
    are kept: ``answer.new_field``, ``answer.model_extra``.
    """

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    _raw: dict[str, Any] = PrivateAttr(default_factory=dict)

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """The model of ``body``. Raises pydantic.ValidationError if it has another form."""
        answer = cls.model_validate(body)
        answer._raw = dict(body)
        return answer

    @property
    def raw(self) -> dict[str, Any]:
        """The JSON object that the service sent. Empty for a part of an answer."""
        return self._raw
