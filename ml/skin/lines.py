"""Lines in skin: creases, wrinkles and furrows, which show as dark ridges.

The line filter of Frangi (1998), as Ng et al. (2014) brought it to wrinkles. What is told is the mean of a measure
that runs smoothly from 0 to 1, and not a count above a threshold, over which a faint line would step at the slightest
change.
"""

from __future__ import annotations

from ml.skin.declaration import Measure
from ml.skin.regions import Region
from ml.skin.surface import SIDE, Surface
from ml.values import Measurement

LINES = Measure(
    name="lines",
    label="Lines",
    unit="%",
    direction="more lines",
    description="How much of the skin is covered by fine dark lines: creases, wrinkles and furrows. Hairs and the rims "
    "of scales count too.",
    method=f"mean response of Frangi's line filter to dark ridges of L*, σ = 1.5 and 2.5 px of {SIDE}; "
    "higher is more lines",
    regions=("skin", "zone"),
    scored=True,
)
MEASURES = (LINES,)


def lines(surface: Surface | None, skin: Region | None, name: str) -> Measurement:
    """How much of ``skin``, a region of ``surface`` named ``name``, is lines, in percent of its area: hairs and the
    rims of scales are counted too. None without a surface."""
    if surface is None or skin is None:
        return LINES.measurement(name)
    return skin.mean(LINES, surface.lines)
