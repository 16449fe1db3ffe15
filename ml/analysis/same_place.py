"""Decides whether two photos show the same place of the same person.

Skin and faces are aligned by their texture: hairs, moles, pores and lines. Nobody is recognised: whether two photos
show the same person is not told from the shape of the face. The limits are in ``ml/skin/params/comparison.json``, with
the data and the command that fitted them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ml.analysis.comparison import Reason, SamePlace
from ml.models.kinds import FACE
from ml.skin import aligned
from ml.skin.alignment import Alignment
from ml.values import DERMATOSCOPIC, NOT_SKIN, Modality

PARAMETERS = Path(aligned.__file__).parent / "params" / "comparison.json"

# codes of reasons
TEXTURE_AGREES, NO_COMMON_TEXTURE = "texture_agrees", "no_common_texture"
FACES_UNSURE = "faces_unsure"
NO_FACE, OTHER_KIND, NOTHING_SEEN = "no_face", "other_kind", "nothing_seen"

_MESSAGES = {
    TEXTURE_AGREES: "The texture of the skin agrees at {points} points.",
    NO_COMMON_TEXTURE: "The texture of the skin could not be matched. The place, the distance or the angle may differ, "
    "or a photo is not sharp.",
    FACES_UNSURE: "The skin of the faces does not agree at enough points. Two people differ so, and so does one person "
    "in other light, farther away or turned.",
    NO_FACE: "A face was found in one photo only.",
    OTHER_KIND: "The photos are of different kinds.",
    NOTHING_SEEN: "In one of the photos no skin was recognised, or it shows too little.",
}


@cache
def parameters() -> Mapping[str, Any]:
    """The content of PARAMETERS.

    ``place``: how many pairs of keypoints must fit, and which share of them, for the verdict "same", and the share of
    such verdicts that are right if half of all pairs are of the same place. ``measures``: see `pair_limits`.
    """
    found: Mapping[str, Any] = json.loads(PARAMETERS.read_text(encoding="utf-8"))
    return found


def pair_limits() -> Mapping[str, Mapping[str, float]]:
    """Code of a measure of aligned photos → its uncertainty in the same light (``same_light``), and what a difference
    in light adds (``for_light``)."""
    found: Mapping[str, Mapping[str, float]] = parameters()["measures"]
    return found


def reason(code: str, **values: object) -> Reason:
    """The reason with this code. ``values`` are those that its message names."""
    return Reason(code, _MESSAGES[code].format(**values))


def nothing_to_compare(before: Modality, after: Modality) -> SamePlace | None:
    """The answer if one photo shows no skin, or if the photos are of kinds that cannot show the same place; None if
    the place can be compared. A lesion and other skin may be the same place, seen from different distances."""
    if not (_is_skin(before) and _is_skin(after)):
        return SamePlace("unsure", None, "none", (reason(NOTHING_SEEN),))
    if _group(before) != _group(after):
        code = NO_FACE if FACE in (before.label, after.label) else OTHER_KIND
        return SamePlace("unsure", None, "none", (reason(code),))
    return None


def no_face() -> SamePlace:
    """The answer if only one of two photos of faces has landmarks."""
    return SamePlace("unsure", None, "none", (reason(NO_FACE),))


def by_texture(found: Alignment | None, *, faces: bool = False) -> SamePlace:
    """The answer for two photos of skin, or of ``faces``. Photos are never called different: photos of one place from
    two distances often have as little in common as photos of two places."""
    place = parameters()["place"]
    if found is not None and found.shows_same(place["same_from_inliers"], place["same_from_share"]):
        why = reason(TEXTURE_AGREES, points=found.inliers)
        return SamePlace("same", place["confidence"], "registration", (why,))
    return SamePlace("unsure", None, "registration", (reason(FACES_UNSURE if faces else NO_COMMON_TEXTURE),))


def _is_skin(modality: Modality) -> bool:
    return modality.label is not None and modality.label != NOT_SKIN


def _group(modality: Modality) -> str | None:
    """The kinds of photo that may show the same place have the same group."""
    return modality.label if modality.label in (FACE, DERMATOSCOPIC) else None
