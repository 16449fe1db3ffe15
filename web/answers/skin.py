"""What was measured of the skin."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from ml.analysis import scores
from ml.skin.catalogue import CATALOGUE
from web.answers.words import Grade, MeasureName, ReferenceKind, ToneGroup
from web.wire import FULL, From, MaybePercent, Number, Range, Rounded, RoundedBy, Wire

_Degrees = Annotated[Number, Range(-90, 90), Rounded(1)]
_Fitzpatrick = Annotated[int, Range(1, 6)]
_Monk = Annotated[int, Range(1, 10)]


class Tone(Wire):
    """The tone of the skin. With a colour reference in the photo, it is measured. Without one, only the groups are
    given; the other fields need `detail=full`, say what the photo's colours would mean in neutral light, and are not a
    typing of the person."""

    group: ToneGroup | None
    """The colour of the skin in this photo."""
    group_range: tuple[ToneGroup, ToneGroup] | None
    """The lightest and the darkest group that another photo of the same person may show."""
    reference: ReferenceKind | None
    """The reference that the tone was measured with."""
    caveat: str
    """For people: how far the tone can be trusted."""
    ita_deg: _Degrees
    """Individual typology angle in degrees; higher is lighter."""
    ita_uncertainty_deg: Annotated[Number, Range(lowest=0), Rounded(1)]
    """Uncertainty of `ita_deg` in degrees."""
    ita_corrected_deg: Annotated[_Degrees, From(FULL)]
    """The angle in degrees after white balance by the photo's own colours."""
    ita_category: str | None
    """The category of `ita_deg`, from very light to dark."""
    fitzpatrick_estimate: _Fitzpatrick | None
    """Fitzpatrick type, 1–6."""
    fitzpatrick_range: tuple[_Fitzpatrick, _Fitzpatrick] | None
    """The lowest and the highest likely type, 1–6."""
    monk_estimate: _Monk | None
    """Monk Skin Tone, 1–10."""
    monk_range: tuple[_Monk, _Monk] | None
    """The lowest and the highest likely Monk Skin Tone, 1–10."""


class Measurement(Wire):
    """One measured number. `GET /api/measures` describes each measure."""

    name: MeasureName
    """The measure."""
    label: Annotated[str, AfterValidator(lambda name: CATALOGUE[name].label)] = Field(validation_alias="name")
    """The measure's name to show to people."""
    value: Annotated[Number, RoundedBy("uncertainty")]
    """In `unit`; null if it could not be measured."""
    unit: str
    """`1` and `index` have no dimension; a `share` is 0–1."""
    direction: Annotated[str, AfterValidator(lambda name: CATALOGUE[name].direction), From(FULL)] = Field(
        validation_alias="name"
    )
    """What a higher value means."""
    score: MaybePercent
    """The percentage, 0–100, of the index's photos with a smaller value; null if that is unknown."""
    score_uncertainty: Annotated[Number, Range(0, 100), RoundedBy("score_uncertainty")]
    """Uncertainty of `score`, in percentage points."""
    grade: Annotated[Grade | None, BeforeValidator(scores.grade)] = Field(validation_alias="score")
    """`score` in words."""
    method: Annotated[str, From(FULL)]
    """How it was measured."""
    region: str
    """Where it was measured: `skin`, `face`, `lesion`, `lesion_minus_surrounding`, `photo`, or a zone's name."""
    uncertainty: Annotated[Number, Range(lowest=0), RoundedBy("uncertainty")]
    """In `unit`. Two photos of the same skin mostly differ by at most √(u₁² + u₂²)."""


class Zone(Wire):
    """A zone of a face."""

    name: str
    """Such as `nose` or `left_cheek`; left and right are the person's own."""
    polygon: Annotated[list[tuple[float, float]] | None, BeforeValidator(lambda corners: corners or None), Rounded(3)]
    """The outline: (x, y) pairs, 0–1, as fractions of the first photo's width and height; null unless the request has
    `outline`, `explain` or `detail=full`."""
    measurements: list[Measurement]
    """What was measured in the zone."""


class Skin(Wire):
    """All measurements."""

    tone: Tone | None
    """Null if the photo shows no skin."""
    measurements: list[Measurement]
    """Measurements of the whole skin, face or lesion."""
    zones: list[Zone] | None
    """Zones of the face; empty if no face was found, null if none was looked for."""
