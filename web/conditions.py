"""Conditions in words for people: the fields beside a condition in an answer, and the list of ``/api/conditions``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, ValidationInfo

from scin.conditions import explain, explanations
from scin.dataset import icd_10, icd_10_codes
from web.answers.words import LanguageCode, Urgency
from web.language import Language
from web.wire import Wire


def _lay_name(name: str, info: ValidationInfo) -> str | None:
    found = explain(name)
    language = (info.context or {}).get("language") or Language()
    return None if found is None else language.translate(found.lay_name)


def _link(name: str) -> str | None:
    found = explain(name)
    return None if found is None else found.link


def _urgency(name: str) -> str | None:
    found = explain(name)
    return None if found is None else found.urgency


# Made from the field that is their ``validation_alias``, the condition's name.
LayName = Annotated[str | None, BeforeValidator(_lay_name)]
Link = Annotated[str | None, BeforeValidator(_link)]
HowSoon = Annotated[Urgency | None, BeforeValidator(_urgency)]


class NamedCondition(Wire):
    """A condition in words for people. What is unknown is null."""

    name: str
    """The name that answers use. Capitals do not matter."""
    icd_10: str | None
    """ICD-10-CM code."""
    lay_name: str | None
    """The everyday name, in the language of the answer."""
    about: str | None
    """In English: what it looks like, how common it is, and how soon to show it to a doctor."""
    urgency: Urgency | None
    """How soon a doctor should see it: `today`, within `days`, or as `about` says (`ordinary`)."""
    link: str | None
    """Address of a public page about it."""


class ConditionsAnswer(Wire):
    """The conditions that an answer may name."""

    success: Literal[True] = True
    """Always true."""
    vocabulary: str = "SCIN; codes: ICD-10-CM"
    """Where names and codes are from."""
    language: LanguageCode
    """The language of everyday names."""
    cosmetic_mode: bool
    """Whether the service names no disease. Then there are no conditions."""
    conditions: list[NamedCondition]
    """By name."""


def named_conditions(language: Language) -> list[NamedCondition]:
    """All conditions by name, each once."""
    names = {name.casefold(): name for name in (*icd_10_codes(), *explanations())}
    return [_named(name, language) for name in sorted(names.values(), key=str.casefold)]


def _named(name: str, language: Language) -> NamedCondition:
    found = explain(name)
    if found is None:
        return NamedCondition(name=name, icd_10=icd_10(name), lay_name=None, about=None, urgency=None, link=None)
    return NamedCondition(
        name=name,
        icd_10=icd_10(name),
        lay_name=language.translate(found.lay_name),
        about=found.about,
        urgency=found.urgency,
        link=found.link,
    )
