"""The lesion classifier's inputs about the person, and the names of body sites that clients may use."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ml.values import Patient

_SEXES = ("female", "male", "unknown")
_AGE_SCALE = 90.0
#: the mean age in the classifier's training set, used if the age is unknown
_MISSING_AGE = 51.906
#: photos of each sex (female, male) and site (in the order of CANONICAL_SITES) in the training set where they are known
#: (HAM10000: Tschandl, Rosendahl, Kittler, Sci. Data 5, 180161, 2018)
_SEX_COUNTS = (4552, 5406)
_SITE_COUNTS = (1215, 1097, 2444, 5025)

#: the sites that the classifier was trained on
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

#: name that a client may send → canonical site
BODY_SITES: Mapping[str, str] = {alias: site for site, words in _ALIASES.items() for alias in (site, *words.split())}


def canonical(site: str) -> str | None:
    """The canonical site of the name ``site``, or None. Case does not matter; spaces, "_" and "/" count as "-"."""
    return BODY_SITES.get("-".join(site.replace("_", " ").replace("/", " ").lower().split()))


def metadata_vector(patient: Patient) -> NDArray[np.float32]:
    """The metadata (10,): sex one-hot (female, male, unknown), site one-hot (in the order of CANONICAL_SITES),
    age / 90, and 1 if the age is unknown. Order and constants are those that sklesion publishes."""
    sex = [float(name == (patient.sex or "unknown")) for name in _SEXES]
    site = [float(name == (patient.body_site or "unknown")) for name in CANONICAL_SITES]
    age = _MISSING_AGE if patient.age is None else patient.age
    return np.array([*sex, *site, age / _AGE_SCALE, float(patient.age is None)], dtype=np.float32)


def filled_metadata(patient: Patient) -> NDArray[np.float32]:
    """The metadata (10,) of ``metadata_vector``, but each unknown fact is replaced by its mean over the training set.

    Only 57 of the 10,015 training photos have no age or sex, too few for the model to learn what "unknown" means. The
    means come closer to the answer that the model gives with the person's true facts (docs/models/sklesion.md).
    """
    found = metadata_vector(patient)
    sexes, sites = found[: len(_SEXES)], found[len(_SEXES) : -2]
    for one_hot, counts in ((sexes, _SEX_COUNTS), (sites, _SITE_COUNTS)):
        if one_hot[-1]:
            one_hot[:] = [*np.divide(counts, sum(counts)), 0]
    found[-1] = 0
    return found
