"""What a condition is, for people without training: its everyday name, what it looks like, how common it is, and how
soon a doctor should see it.

``conditions.json`` was written for this project. It covers SCIN's commonest conditions and the classes of the lesion
models. It gives no advice on treatment. Links lead to pages of MedlinePlus (National Library of Medicine) and DermNet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ml.analysis.summary import Urgency
from scin.labels import Names


@dataclass(frozen=True)
class Explanation:
    """``name``: as an answer names the condition. ``lay_name``: as it stands in a sentence. ``about``: one or two
    sentences. ``urgency``: how soon a doctor should see it. ``link``: a public page about it."""

    name: str
    lay_name: str
    about: str
    urgency: Urgency
    link: str


@cache
def explanations() -> Mapping[str, Explanation]:
    """Name → explanation."""
    rows = json.loads(Path(__file__).with_name("conditions.json").read_text(encoding="utf-8"))
    return {row["name"]: Explanation(**row) for row in rows}


@cache
def _names() -> Names:
    return Names(explanations())


def explain(name: str) -> Explanation | None:
    """The explanation of a condition, in whatever capitals or dataset's words it is named. None if it is not in the
    table."""
    found = _names().find(name)
    return None if found is None else explanations()[found]


def lay_name(name: str) -> str:
    """The everyday name of a condition; ``name`` itself if there is none."""
    found = explain(name)
    return name if found is None else found.lay_name


def urgency(name: str) -> Urgency:
    """How soon a doctor should see a condition; ordinary if that is unknown."""
    found = explain(name)
    return "ordinary" if found is None else found.urgency
