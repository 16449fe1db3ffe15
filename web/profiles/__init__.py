"""Response profiles: the same answer in the shape that clients of another service read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import BaseModel

from web.profiles import autoderm
from web.schemas import AnalysisAnswer

OWN = "dermserve"

#: name → what makes that shape of an answer. Each takes the answer, so that none can show what cosmetic mode left out.
PROFILES: Mapping[str, Callable[[AnalysisAnswer], BaseModel]] = {
    OWN: lambda answer: answer,
    "autoderm": autoderm.render,
}
