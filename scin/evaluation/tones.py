"""Skin tone groups, by which every figure is also told."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

from ml.analysis.decision import TONE_GROUPS, tone_group
from scin.index.cases import StoredCase

FITZPATRICK_RATED, FITZPATRICK_SELF = "Fitzpatrick (dermatologists)", "Fitzpatrick (self-reported)"
MONK, MONK_GROUP = "Monk", "Monk group"
#: by our own estimate: the one that is known of a photo when it is served, so the one that calibrations go by
OWN_GROUP = "Monk group (our estimate)"
UNKNOWN = ""
MONK_GROUPS = TONE_GROUPS


def tone_groups(cases: Sequence[StoredCase]) -> dict[str, NDArray[np.str_]]:
    """Scale → (n,) each case's group on it, "" where nobody said.

    Fitzpatrick by the median of the dermatologists' estimates, and as the contributor said; Monk by the mean of the
    two raters' tones. A half is rounded to the darker type, of which there are fewer. And by our own estimate.
    """
    monk = [monk_tone(case.monk_india, case.monk_us) for case in cases]
    return {
        FITZPATRICK_RATED: _names("Fitzpatrick", [_fitzpatrick(case.fitzpatrick_labels) for case in cases]),
        FITZPATRICK_SELF: _names("Fitzpatrick", [_fitzpatrick(_one(case.fitzpatrick_self)) for case in cases]),
        MONK: _names("Monk", monk),
        MONK_GROUP: _groups(monk),
        OWN_GROUP: _groups([case.monk_estimate for case in cases]),
    }


def monk_tone(*ratings: int | None) -> int | None:
    """The mean of the tones (1–10) that were given, a half rounded up; None if none was."""
    given = [rating for rating in ratings if rating is not None]
    return int(sum(given) / len(given) + 0.5) if given else None


def _groups(tones: Sequence[int | None]) -> NDArray[np.str_]:
    return np.array([tone_group(tone) or UNKNOWN for tone in tones], np.str_)


def _fitzpatrick(labels: Sequence[str]) -> int | None:
    types = [int(label.removeprefix("FST")) for label in labels if label.removeprefix("FST").isdecimal()]
    return int(median(types) + 0.5) if types else None


def _one(label: str | None) -> tuple[str, ...]:
    return () if label is None else (label,)


def _names(scale: str, numbers: Sequence[int | None]) -> NDArray[np.str_]:
    return np.array([UNKNOWN if number is None else f"{scale} {number}" for number in numbers], np.str_)
