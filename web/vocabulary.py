"""The words that fields of a request may hold. Each set of words is a named schema of the OpenAPI document, which holds
only the canonical words; others that mean the same are read too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from typing_extensions import TypeAliasType

from ml.models.patient import CANONICAL_SITES
from web.answers.words import Words
from web.wire import FULL, STANDARD, SUMMARY

THOROUGH = "thorough"

#: word that a client may send → its meaning
SEXES: Mapping[str, str | None] = {
    **dict.fromkeys(("female", "f", "woman"), "female"),
    **dict.fromkeys(("male", "m", "man"), "male"),
    **dict.fromkeys(("unknown", "other", "unspecified", "other_or_unspecified")),
}
MODALITIES = {
    **dict.fromkeys(("close_up", "clinical"), "close_up"),
    **dict.fromkeys(("dermatoscopic", "dermoscopic", "dermatoscopy", "dermoscopy"), "dermatoscopic"),
    **dict.fromkeys(("face", "selfie"), "face"),
    **dict.fromkeys(("lesion_close_up", "lesion"), "lesion_close_up"),
}
REFERENCES = {
    **dict.fromkeys(("colour_checker", "color_checker"), "colour_checker"),
    **dict.fromkeys(("grey_card", "gray_card"), "grey_card"),
}
DETAILS = {name: name for name in (SUMMARY, STANDARD, FULL, THOROUGH)}
#: the other words for a kind of photo
MODALITY_WORDS = (
    "`clinical` means `close_up`, `lesion` means `lesion_close_up`, `selfie` means `face`, and `dermoscopic`, "
    "`dermatoscopy` and `dermoscopy` mean `dermatoscopic`."
)


@dataclass(frozen=True)
class Advice:
    """Marks a field: the ``message`` of the error for a bad value, the ``allowed`` values, if they are a few words, and
    whether the field is ``of_the_person``. Its bad values then get 422, those of other fields 400."""

    message: str
    allowed: Sequence[str] = ()
    of_the_person: bool = False


def _named(name: str, words: Iterable[str], description: str) -> Any:
    """A type of ``words``, which is the schema ``name`` of the document."""
    return TypeAliasType(name, Annotated[str, Words(tuple(dict.fromkeys(words)), description)])


Sex = _named(
    "Sex",
    ("female", "male", "unknown"),
    "Sex of the person. `f`, `woman`, `m`, `man`, `other` and `unspecified` are read too.",
)
BodySite = _named(
    "BodySite",
    CANONICAL_SITES,
    "Part of the body. Common names are read too, such as `back`, `scalp`, `forearm` or `knee`. Case, spaces, hyphens "
    "and underscores do not matter.",
)
StatedReference = _named(
    "StatedReference",
    REFERENCES.values(),
    "`colour_checker`: a card of 24 patches. `grey_card`: a grey card. `color_checker` and `gray_card` are read too.",
)
RequestedDetail = _named(
    "RequestedDetail",
    DETAILS,
    "`summary`: the sentences for people, the kind of photo, its quality and the decision. `standard`: everything that "
    "most clients need, with rounded numbers; fields that are null are left out. `full`: every field, unrounded, with "
    "the raw output of the lesion model, measures that do not repeat well enough for every answer, and what the skin "
    "tone's colours would mean in neutral light. `thorough`: as `full`; it also averages the dermatoscopic model over "
    "mirror images of each photo, which takes four times its time.",
)


def advice(name: str, meanings: Mapping[str, str]) -> Advice:
    """The advice for a field whose values are the meanings of words."""
    allowed = tuple(dict.fromkeys(meanings.values()))
    return Advice(f"{name} must be one of {', '.join(allowed)}.", allowed)
