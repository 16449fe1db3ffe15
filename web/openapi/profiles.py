"""The documented answers in other shapes than the service's own."""

from __future__ import annotations

from pydantic import BaseModel

from web.profiles import autoderm


def profile_answers() -> tuple[type[BaseModel], ...]:
    """What ``profile`` may turn an analysis into, beside AnalysisAnswer."""
    return (autoderm.Answer, autoderm.NotSkin)
