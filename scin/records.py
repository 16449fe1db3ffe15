"""One case of the dataset, typed: its photos, what its contributor said, and what dermatologists said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ImageRef:
    """One photo. ``path`` is relative to the dataset's folder; ``shot_type`` is, for instance, CLOSE_UP."""

    path: str
    shot_type: str | None


@dataclass(frozen=True)
class Label:
    """The dermatologists' differential.

    ``conditions`` and ``confidences`` (1–5) are all dermatologists' lists, one after the other; ``weights`` is
    condition → weight, summing to 1 but for rounding; ``dermatologists`` is how many found the photos gradable.
    """

    conditions: tuple[str, ...]
    confidences: tuple[int, ...]
    weights: Mapping[str, float]
    dermatologists: int

    @property
    def top(self) -> str | None:
        """The condition with the largest weight (among equals the first that the dataset lists), or None."""
        return max(self.weights, key=lambda name: self.weights[name], default=None)

    @property
    def agreement(self) -> float | None:
        """Share of the dermatologists whose list has ``top``, 0–1. Each lists a condition at most once."""
        if self.top is None or not self.dermatologists:
            return None
        return min(1.0, self.conditions.count(self.top) / self.dermatologists)


@dataclass(frozen=True)
class Case:
    """A contributed case. ``case_id`` is a signed 64-bit number, kept as text; Monk tones are 1–10."""

    case_id: str
    source: str
    release: str
    year: str
    age_group: str | None
    sex: str | None
    body_parts: tuple[str, ...]
    images: tuple[ImageRef, ...]
    label: Label
    fitzpatrick_self: str | None
    fitzpatrick_labels: tuple[str, ...]
    monk_india: int | None
    monk_us: int | None
