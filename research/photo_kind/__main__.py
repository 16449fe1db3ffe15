"""``python -m research.photo_kind DATA THINGS``: fit and evaluate the heads that classify the kind of a photo.

DATA contains collections of skin photos (see research.photo_kind.pictures). THINGS contains pictures of other things,
from ``python -m research.photo_kind.things THINGS``. Writes ml/models/photo_kind.json and prints Markdown tables of
shares with 95% Wilson intervals. Each picture is evaluated by a fit without its patient, lesion or condition.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.models.kinds import HEADS_FILE, SURE_FACE
from ml.models.loading import load_encoder, load_faces
from ml.models.registry import EFFICIENTNET_LITE0 as ENCODER
from ml.models.store import ModelStore
from ml.training.statistics import wilson
from research.photo_kind.fitting import (
    Embedded,
    Flags,
    Floats,
    Line,
    Question,
    calibration,
    equal_sources,
    fit,
    unseen_log_odds,
)
from research.photo_kind.pictures import THING, Picture, drawn_things, generated_skin, skin_photos, things
from research.photo_kind.variations import vary

COMMAND = "python -m research.photo_kind DATA THINGS"
_ARRAYS = re.compile(r"\[[^\]]*\]")
_VARIATIONS = 3
_ROUND_FIELD = {"dermatoscopic": 0.35}  # share of the variations with a round field; 3% for all other kinds
_CLINICAL = ("clinical", "clinical_more", "clinical_kind")
#: conditions of ``clinical`` and ``clinical_more`` that are single lesions; used only for evaluation
ONE_LESION = frozenset(
    [
        "basalcellcarcinoma",
        "squamouscellcarcinoma",
        "melanocyticnaevus",
        "melanoma",
        "melanomainsitu",
        "nodularmelanoma",
        "cherryangioma",
        "keloidscar",
        "sebaceoushyperplasia",
        "atypicalmelanocyticnaevus",
        "merkelcellcarcinoma",
        "pyogenicgranuloma",
        "halonaevus",
        "epidermalnaevus",
        "atypicalfibroxanthoma",
        "cutaneoushorn",
        "digitalmyxoidpseudocyst",
        "lichenoidkeratosis",
        "mastocytoma",
        "spiderangioma",
        "venouslake",
        "metastaticmelanoma",
        "milkersnodule",
    ]
)
#: accepted share of other skin in clinical_kind that is classified as one lesion
_OTHER_SKIN_ACCEPTED = 0.10


class Study:
    """Embedded pictures with their kinds, and the questions that the heads answer."""

    def __init__(self, pictures: Sequence[Picture], vectors: NDArray[np.float32], faces: NDArray[np.float32]) -> None:
        self.kind = np.array([picture.kind for picture in pictures])
        self.source = np.array([picture.source for picture in pictures])
        self.group = np.array([picture.group for picture in pictures])
        shared = np.isin(self.source, _CLINICAL)  # from one publisher, so a condition is one group across these folders
        groups = np.where(shared, self.group, np.char.add(np.char.add(self.source, "/"), self.group))
        self.data = Embedded(vectors, groups)
        self.face = faces >= SURE_FACE
        ones = np.ones(len(pictures))
        thing, seen = self.kind == THING, ~(self.face & (self.kind == THING))
        in_kind = (self.source == "clinical_kind") | (self.source == "pad")
        pad_less = np.where(self.source == "pad", 0.3, 1.0)
        lesion = self.kind == "lesion_close_up"
        self.questions = {
            "skin": Question(~thing, seen, ones, 0.3),
            "dermatoscopic": Question(self.kind == "dermatoscopic", seen, ones, 1.0),
            "lesion": Question(lesion, in_kind, pad_less, 0.03),
        }

    def is_from(self, *sources: str) -> Flags:
        return np.isin(self.source, sources)


def embed(pictures: Sequence[Picture], models: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Embeddings (n, 1 + variations, dimension), and scores (n,) of the best face with landmarks, or 0."""
    encoder = load_encoder(models, ENCODER.name, threads=2, engine="auto")
    detector = load_faces(ModelStore(models))
    vectors, faces = [], []
    for number, picture in enumerate(pictures):
        photo = picture.load()
        random = np.random.default_rng((7, number))
        share = _ROUND_FIELD.get(picture.kind, 0.03)
        views = [photo, *(vary(photo, random, round_field=share) for _ in range(_VARIATIONS))]
        vectors.append(encoder.embed(views))
        found = [face for face in detector.detect(photo) if detector.landmarks(photo, face) is not None]
        faces.append(found[0].score if found else 0.0)
        if number % 250 == 0:
            print(f"embedded {number} of {len(pictures)}", file=sys.stderr, flush=True)
    return np.stack(vectors), np.array(faces, np.float32)


def calibrated(study: Study, name: str) -> tuple[Floats, Line]:
    """Cross-validated log-odds of each picture, and the fit to all pictures, with the same calibration."""
    question = study.questions[name]
    unseen = unseen_log_odds(study.data, question)
    sources = {"ham": 0.5, "isic": 0.25, "isic2017": 0.25} if name == "dermatoscopic" else {}
    weight = equal_sources(study.source.tolist(), sources) if sources else question.weight
    asked = question.asked
    slope, shift = calibration(unseen[asked], question.positive[asked], weight[asked])
    return unseen * slope + shift, fit(study.data, question, np.ones_like(asked)).scaled(slope, shift)


def thresholds(study: Study, log_odds: dict[str, Floats]) -> dict[str, float]:
    """Fixed probabilities for skin and dermatoscopic. For one lesion, the limit that accepts _OTHER_SKIN_ACCEPTED."""
    other = study.is_from("clinical_kind") & (study.kind == "close_up")
    lesion = float(np.quantile(_probability(log_odds["lesion"][other]), 1 - _OTHER_SKIN_ACCEPTED))
    return {"skin": 0.5, "dermatoscopic": 0.9, "lesion": round(lesion, 3)}


def labels(study: Study, log_odds: dict[str, Floats], limits: dict[str, float]) -> NDArray[np.str_]:
    """(n,) the predicted kind of each picture, with the precedence of ml.models.kinds."""
    yes = {name: _probability(values) >= limits[name] for name, values in log_odds.items()}
    skin = np.where(yes["lesion"], "lesion_close_up", "close_up")
    return np.where(
        yes["dermatoscopic"], "dermatoscopic", np.where(study.face, "face", np.where(yes["skin"], skin, "not_skin"))
    )


def report(study: Study, called: NDArray[np.str_]) -> dict[str, dict[str, Any]]:
    """Print the predicted kinds of each collection, and the most important shares, which are returned."""
    names = ("dermatoscopic", "lesion_close_up", "close_up", "face", "not_skin")
    print(f"| collection | n | {' | '.join(names)} |\n|---|---|" + "---|" * len(names))
    for source in dict.fromkeys(study.source.tolist()):
        of = called[study.source == source]
        print(f"| {source} | {len(of)} | " + " | ".join(f"{(of == name).mean():.3f}" for name in names) + " |")
    clinical = study.is_from(*_CLINICAL)
    mixed = study.is_from("clinical", "clinical_more") & ~np.isin(
        study.group, study.group[study.is_from("clinical_kind")]
    )
    one = np.isin(study.group, list(ONE_LESION))
    thing = study.kind == THING
    figures = {}
    for text, asked, name in (
        ("dermatoscopic photos called dermatoscopic", study.kind == "dermatoscopic", "dermatoscopic"),
        ("clinical photos called dermatoscopic", clinical, "dermatoscopic"),
        ("clinical photos called not skin", clinical, "not_skin"),
        ("phone photos of a lesion called dermatoscopic", study.is_from("pad"), "dermatoscopic"),
        ("phone photos of a lesion called lesion_close_up", study.is_from("pad"), "lesion_close_up"),
        ("clinical, unseen conditions, one lesion: called one lesion", mixed & one, "lesion_close_up"),
        ("clinical, unseen conditions, other skin: called one lesion", mixed & ~one, "lesion_close_up"),
        ("things called not skin", thing, "not_skin"),
    ):
        data = {"data": "pictures of things" if asked is thing else ", ".join(dict.fromkeys(study.source[asked]))}
        figures[text] = _report_share(text, called[asked] == name) | data | {"command": COMMAND}
    what = "things called skin of any kind"
    figures[what] = _report_share(what, np.isin(called[thing], names[:3])) | data | {"command": COMMAND}
    return figures


def report_left_out(study: Study, limits: dict[str, float]) -> None:
    """Evaluate each collection with uncalibrated fits to the others, to show whether the heads learn the collection."""
    families = [("ham", "isic"), ("isic2017",), ("pad",), _CLINICAL]
    families += [(source,) for source in dict.fromkeys(study.source[study.kind == THING].tolist())]
    for family in families:
        left_out = study.is_from(*family)
        called = {
            name: _probability(fit(study.data, study.questions[name], ~left_out).log_odds(study.data.vectors[:, 0]))
            >= limits[name]
            for name in ("skin", "dermatoscopic")
        }
        _report_share(f"{' + '.join(family)} left out: called skin", called["skin"][left_out])
        _report_share(f"{' + '.join(family)} left out: called dermatoscopic", called["dermatoscopic"][left_out])


def write(
    path: Path,
    lines: dict[str, Line],
    limits: dict[str, float],
    study: Study,
    models: Path,
    *,
    figures: dict[str, dict[str, Any]],
) -> None:
    fingerprint = ModelStore(models).manifest(ENCODER).fingerprint
    facts = {
        "encoder": {"name": ENCODER.name, "version": ENCODER.version, "fingerprint": fingerprint},
        "fitted": {
            "command": COMMAND,
            "date": datetime.now(UTC).date().isoformat(),
            "pictures": {
                source: int((study.source == source).sum()) for source in dict.fromkeys(study.source.tolist())
            },
        },
        "figures": figures,
        "heads": {
            name: {
                "threshold": limits[name],
                "bias": round(line.bias, 4),
                "weights": [round(float(weight), 3) for weight in line.weights],
            }
            for name, line in lines.items()
        },
    }
    text = json.dumps(facts, indent=1)
    path.write_text(_ARRAYS.sub(lambda found: " ".join(found.group().split()), text) + "\n", encoding="utf-8")


def _probability(log_odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def _report_share(text: str, flags: Flags) -> dict[str, Any]:
    """Print the share of ``flags`` (n,) with its interval, and return it as a figure."""
    low, high = wilson(int(flags.sum()), len(flags))
    print(f"- {text}: {flags.mean():.4f} [{low:.4f}, {high:.4f}] of {len(flags)}")
    return {"value": round(float(flags.mean()), 3), "interval": [round(low, 3), round(high, 3)], "n": len(flags)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m research.photo_kind", description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("things", type=Path)
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    parser.add_argument("--out", type=Path, default=HEADS_FILE)
    parser.add_argument("--embeddings", type=Path, help="file in which the embeddings are cached")
    given = parser.parse_args()
    pictures = [*skin_photos(given.data), *generated_skin(), *things(given.things), *drawn_things()]
    if given.embeddings and given.embeddings.exists():
        kept = np.load(given.embeddings)
        vectors, faces = kept["vectors"], kept["faces"]
    else:
        vectors, faces = embed(pictures, given.models)
        if given.embeddings:
            np.savez(given.embeddings, vectors=vectors, faces=faces)
    study = Study(pictures, vectors, faces)
    unseen, lines = {}, {}
    for name in study.questions:
        unseen[name], lines[name] = calibrated(study, name)
    limits = thresholds(study, unseen)
    print(f"thresholds: {limits}\n")
    figures = report(study, labels(study, unseen, limits))
    report_left_out(study, limits)
    write(given.out, lines, limits, study, given.models, figures=figures)


if __name__ == "__main__":
    main()
