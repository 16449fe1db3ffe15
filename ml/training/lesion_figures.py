"""The figures of the model for phone photos of a lesion: each is a value with its 95% interval.

Intervals are Wilson's for shares and a bootstrap over patients for the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from ml.analysis.routing import route
from ml.imaging.decode import decode
from ml.models.classifier import combine_views
from ml.models.encoder import Encoder
from ml.models.kinds import LESION, KindOfPhoto, read_kinds
from ml.models.lesion_views import Views, views_of
from ml.models.phone_lesions import CODES, SENSITIVITY
from ml.skin.frame import Frame, Subject
from ml.training.statistics import calibration_error, wilson
from ml.values import Doubles, Mask, Patient, Vectors

COMMAND = "python -m ml.training.phone_lesions PAD --checkpoints NETWORKS --outlined PAD ISIC2017"
COVERAGE = 0.90  # of the sets
THRESHOLD = 0.30  # probability of cancer at which the sensitivity is stated
CANCERS, _PRECANCEROUS = 3, 4  # the first classes of CODES are cancers, the fourth is precancerous
_DRAWS, _SEED = 1000, 0
_PAD = "PAD-UFES-20, patients apart"
_ELSEWHERE = "DermNet NZ, nothing fitted to it but the kind of photo"
_ALARM = 0.5
#: parts of the names of the conditions that the model knows, apart from keratoses
_WANTED = ("melanoma", "naevus", "basalcellcarcinoma", "squamouscellcarcinoma")
#: other conditions with a single lesion, and naevi that are not melanocytic: neither wanted nor other skin
_OTHER_LESIONS = frozenset(
    [
        "actinickeratosis",
        "atypicalfibroxanthoma",
        "cherryangioma",
        "cutaneoushorn",
        "dermatofibroma",
        "dermatosispapulosanigra",
        "digitalmyxoidpseudocyst",
        "epidermalnaevus",
        "keloidscar",
        "lichenoidkeratosis",
        "mastocytoma",
        "merkelcellcarcinoma",
        "milkersnodule",
        "molluscumcontagiosum",
        "naevusdepigmentosus",
        "naevusofotanaevusofitoandnaevusofhori",
        "orf",
        "pilarcyst",
        "pyogenicgranuloma",
        "sebaceoushyperplasia",
        "solarlentigo",
        "spiderangioma",
        "venouslake",
        "xanthoma",
    ]
)

Ints = NDArray[np.intp]
Statistic = Callable[[Doubles, Mask], float]


@dataclass(frozen=True, eq=False)
class Photos:
    """The labelled photos. ``vectors``, ``crops`` (n, variations, dimension): the embeddings of each photo and of the
    crop around its lesion, and of their variations, the photo first. ``findings`` (n, len(FINDINGS)). ``classes`` (n,):
    places in CODES. ``rows``: the lines of labels.csv."""

    vectors: Vectors
    crops: Vectors
    findings: Doubles
    classes: Ints
    patients: NDArray[np.str_]
    facts: tuple[Patient, ...]
    rows: tuple[Mapping[str, str], ...]

    def views(self, among: Ints, variation: int = 0) -> Views:
        """One variation of the photos ``among``."""
        return Views(self.vectors[among, variation], self.crops[among, variation], self.findings[among])


@dataclass(frozen=True, eq=False)
class Unseen:
    """Results for each photo by fits without its patient. ``fold`` (n,). ``raw``, ``calibrated`` (2, n, classes): the
    probabilities without and with facts about the person. ``sets`` (2, n, classes). ``far``, ``near`` (n,): its
    distance from the data, and whether it is near enough for an answer."""

    fold: Ints
    raw: Doubles
    calibrated: Doubles
    sets: Mask
    far: Doubles
    near: Mask


class Figures:
    """Collects and prints figures. ``patients`` (n,) are those of the photos, which the bootstrap draws together."""

    def __init__(self, patients: NDArray[np.str_]) -> None:
        self.made: dict[str, dict[str, object]] = {}
        _, group = np.unique(patients, return_inverse=True)
        members = [np.flatnonzero(group == one) for one in range(group.max() + 1)]
        random = np.random.default_rng(_SEED)
        self._draws = [
            np.concatenate([members[one] for one in random.integers(0, len(members), len(members))])
            for _ in range(_DRAWS)
        ]
        print("| figure | value | n |\n|---|---|---|")

    def share(self, name: str, hits: Mask, data: str = _PAD) -> None:
        """The share of ``hits`` (n,)."""
        self._add(name, float(hits.mean()), wilson(int(hits.sum()), len(hits)), len(hits), data)

    def value(self, name: str, statistic: Statistic, score: Doubles, yes: Mask) -> None:
        """``statistic`` of ``score`` (n,) and ``yes`` (n,). The bootstrap raises a calibration error, so the interval
        is widened to the value where it does not contain it."""
        found = statistic(score, yes)
        low, high = np.percentile([statistic(score[draw], yes[draw]) for draw in self._draws], (2.5, 97.5))
        self._add(name, found, (min(float(low), found), max(float(high), found)), len(score), _PAD)

    def _add(self, name: str, value: float, interval: tuple[float, float], n: int, data: str) -> None:
        low, high = interval
        self.made[name] = {
            "value": round(value, 3),
            "interval": [round(low, 3), round(high, 3)],
            "n": n,
            "data": data,
            "command": COMMAND if data == _PAD else f"{COMMAND} --clinical DATA",
        }
        print(f"| {name} | {value:.3f} [{low:.3f}, {high:.3f}] | {n} |")


def measure(figures: Figures, photos: Photos, found: Unseen) -> None:
    """The figures for all photos, without and with facts about the person."""
    classes, every = photos.classes, np.arange(len(photos.classes))
    for version, said in enumerate(("", ", with age and site")):
        p = found.calibrated[version]
        for name, first in (("cancer", CANCERS), ("cancer or precancerous", _PRECANCEROUS)):
            score, yes = p[:, :first].sum(axis=1), classes < first
            figures.value(f"AUC of {name}{said}", _auc, score, yes)
            figures.value(f"calibration error of {name}{said}", calibration_error, score, yes)
        right = p.argmax(axis=1) == classes
        figures.share(f"right class of six{said}", right)
        figures.value(f"calibration error of the most probable class{said}", calibration_error, p.max(axis=1), right)
        figures.share(f"sets with the right class, stated {COVERAGE:.2f}{said}", found.sets[version][every, classes])
        size = found.sets[version].sum(axis=1).astype(np.float64)
        figures.value(f"classes in a set{said}", lambda sizes, _: float(sizes.mean()), size, right)
        flagged = p[:, :CANCERS].sum(axis=1) >= THRESHOLD
        figures.share(f"cancers {SENSITIVITY.format(THRESHOLD)}{said}", flagged[classes < CANCERS])
        figures.share(
            f"other lesions with a probability of cancer below {THRESHOLD:.2f}{said}", ~flagged[classes >= CANCERS]
        )
    figures.share("photos near enough to the data for an answer", found.near)


def measure_groups(figures: Figures, photos: Photos, p: Doubles) -> None:
    """The figures by class, recorded Fitzpatrick type, site and lesion. ``p`` (n, classes): without facts."""
    right = p.argmax(axis=1) == photos.classes
    flagged = p[:, :CANCERS].sum(axis=1) >= THRESHOLD
    for place, code in enumerate(CODES):
        figures.share(f"right class of six, {code}", right[photos.classes == place])
    for place, code in enumerate(CODES[:CANCERS]):
        figures.share(f"{code} {SENSITIVITY.format(THRESHOLD)}", flagged[photos.classes == place])
    types = np.array([row["fitspatrick"][:1] or "not recorded" for row in photos.rows])
    sites = np.array([fact.body_site or "unknown" for fact in photos.facts])
    for what, groups in (("Fitzpatrick type", types), ("site", sites)):
        for name in np.unique(groups):
            figures.share(f"right class of six, {what} {name}", right[groups == name])
    lesions = np.array([row["patient_id"] + "/" + row["lesion_id"] for row in photos.rows])
    several = [np.flatnonzero(lesions == one) for one in np.unique(lesions) if (lesions == one).sum() > 1]
    combined = [combine_views(p[places].astype(np.float32)).argmax() == photos.classes[places[0]] for places in several]
    figures.share("right class of six, lesions with several photos, all photos", np.array(combined))
    figures.share(
        "right class of six, lesions with several photos, first photo", np.array([right[one[0]] for one in several])
    )


def measure_elsewhere(figures: Figures, cancer: Callable[[Views], float | None], data: Path, encoder: Encoder) -> None:
    """The shares of clinical photos of another source that get an answer: of the model's lesions, and of other skin.

    ``cancer``: the views of one photo → the probability of cancer, or None without an answer.
    """
    kinds = KindOfPhoto(read_kinds())
    found: dict[bool, list[float | None]] = {True: [], False: []}
    for path in sorted([*(data / "clinical").glob("*.jpg"), *(data / "clinical_more").glob("*.jpg")]):
        condition = "".join(letter for letter in path.name.partition("__")[0].lower() if letter.isalnum())
        if condition in _OTHER_LESIONS:
            continue
        photo = decode(path.read_bytes()).rgb
        vector = encoder.embed([photo])
        routing = route(kinds, None, kinds.evidence(vector[0], 0.0))
        answers = routing.modality.label == LESION and routing.no_lesion is None
        found[any(name in condition for name in _WANTED)].append(
            cancer(views_of(encoder, [photo], [Subject(Frame(photo)).whole], vector)) if answers else None
        )
    answered = {wanted: np.array([one is not None for one in of]) for wanted, of in found.items()}
    figures.share("clinical melanoma, naevus, BCC, SCC: answered", answered[True], _ELSEWHERE)
    figures.share("other clinical photos: answered", answered[False], _ELSEWHERE)
    alarms = np.array([one is not None and one >= _ALARM for one in found[False]])
    figures.share(f"other clinical photos: probability of cancer {_ALARM} or more", alarms, _ELSEWHERE)


def _auc(score: Doubles, yes: Mask) -> float:
    return float(roc_auc_score(yes, score))
