"""Body sites: the words that clients use, and the five that the lesion classifier was trained on."""

from __future__ import annotations

from collections.abc import Mapping

CANONICAL_SITES = ("arm", "head-or-neck", "leg-or-genital", "trunk", "unknown")

_ALIASES = {
    "arm": "arm upper-extremity palm hand back-of-hand forearm elbow wrist finger acral",
    "head-or-neck": "head neck head-neck face scalp ear nose cheek forehead chin eye lip mouth oral-genital",
    "leg-or-genital": "leg lower-extremity foot foot-top-or-side foot-sole thigh knee ankle toe genital "
    "genitalia genitalia-or-groin groin",
    "trunk": "torso torso-front torso-back chest back abdomen buttocks anterior-torso posterior-torso "
    "lateral-torso shoulder",
    "unknown": "other none unspecified",
}

#: word a client may send → canonical site
BODY_SITES: Mapping[str, str] = {alias: site for site, words in _ALIASES.items() for alias in (site, *words.split())}


def canonical(site: str) -> str | None:
    """The canonical site that ``site`` names (case, spaces and underscores do not matter), or None."""
    return BODY_SITES.get("-".join(site.replace("_", " ").replace("/", " ").lower().split()))
