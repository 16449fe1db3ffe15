"""``python -m benchmarks.modality DATA``: what real photos are routed as; ``--fit`` fits the rules' coefficients.

DATA holds folders of photos, each of one kind by its name: ``clinical``, ``isic`` (dermatoscopic), ``faces``, and,
with ``--other``, any more of things that are not skin. scikit-image's own pictures and generated skin of all tones
are added. Prints shares with their 95% Wilson intervals, each missed photo, and what leaving one out gives.

Clinical photos are fitted without their lowest 30%, where a publisher's mark would be learned, and routed whole.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.lesion import wilson
from ml.faces import Face, FaceDetector
from ml.imaging.decode import decode
from ml.loading import load_faces
from ml.modality import Routing, route
from ml.skin.colour import working_copy
from ml.skin.quality import assess
from ml.skin.segmentation import skin_mask
from ml.skin.signs import Signs, read_signs
from ml.skin.tone import estimate
from ml.store import ModelStore
from ml.values import RGB

Floats = NDArray[np.float64]

NOT_SKIN = ("chelsea", "coffee", "text", "coins", "moon")  # what must be told from skin
_MARK = 0.30
_TONES = (("Monk 1–4", range(1, 5)), ("Monk 5–7", range(5, 8)), ("Monk 8–10", range(8, 11)), ("unknown", (None,)))


@dataclass(frozen=True)
class Sample:
    kind: str
    name: str
    signs: Signs | None
    fitted: Signs | None
    faces: list[Face]
    monk: int | None
    blurred: bool

    @property
    def routing(self) -> Routing:
        return route(None, self.faces, self.signs)


def sample(kind: str, name: str, rgb: RGB, detector: FaceDetector | None) -> Sample:
    small = working_copy(rgb)
    mask = skin_mask(small)
    quality = assess(small, rgb.shape[1], rgb.shape[0], mask)
    signs = read_signs(small, mask) if quality.usable else None
    fitted = _unmarked(rgb) if kind == "clinical" else signs
    faces = detector.detect(rgb, small) if detector else []
    blurred = "too_blurry" in (problem.code for problem in quality.problems)
    return Sample(kind, name, signs, fitted, faces, estimate(small, mask).monk_estimate, blurred)


def _unmarked(rgb: RGB) -> Signs:
    kept = working_copy(np.ascontiguousarray(rgb[: round(len(rgb) * (1 - _MARK))]))
    return read_signs(kept, skin_mask(kept))


def photos(data: Path, others: Sequence[Path]) -> Iterator[tuple[str, str, RGB]]:
    """(kind, name, photo) of every picture."""
    for kind in ("clinical", "isic", "faces"):
        for path in sorted((data / kind).glob("*.*g")):
            yield kind, path.name, decode(path.read_bytes()).rgb
    yield from pictures()
    for folder in others:
        for path in sorted(folder.glob("*.*g")):
            yield "other", path.name, decode(path.read_bytes()).rgb
    yield from generated()


def pictures() -> Iterator[tuple[str, str, RGB]]:
    """What ships inside scikit-image's wheel, photos first."""
    import skimage

    for path in sorted((Path(skimage.__file__).parent / "data").glob("*.*g")):
        if path.stem not in ("microaneurysms",):
            yield "faces" if path.stem == "astronaut" else "other", path.name, decode(path.read_bytes()).rgb


def generated() -> Iterator[tuple[str, str, RGB]]:
    """The first view of 100 generated cases, ten of each tone."""
    from scin.synthetic import plan_cases, render_case

    for spec in plan_cases(100, seed=3):
        view = render_case(spec)[0]
        yield "generated", f"Monk {view.monk}, {view.condition}", view.rgb


def report(samples: Sequence[Sample]) -> None:
    labels = ("face", "close_up", "dermatoscopic", "not_skin", None)
    for kind in dict.fromkeys(one.kind for one in samples):
        of_kind = [one for one in samples if one.kind == kind]
        counts = {label: sum(one.routing.modality.label == label for one in of_kind) for label in labels}
        print(f"\n{kind}, {len(of_kind)}: " + ", ".join(f"{n} {label}" for label, n in counts.items() if n))
        _tell("lesion classifier answers", [one.routing.lesion for one in of_kind])
        if kind == "other":
            _tell("not_skin", [not one.routing.skin for one in of_kind])
            _list("taken for skin", [one for one in of_kind if one.routing.skin])
            asked = [one for one in of_kind if Path(one.name).stem in NOT_SKIN]
            _tell(f"not_skin of {', '.join(NOT_SKIN)}", [not one.routing.skin for one in asked])
            continue
        _tell("not called not_skin", [one.routing.skin for one in of_kind])
        _list("called not_skin", [one for one in of_kind if not one.routing.skin])
        if kind in ("clinical", "generated"):
            for group, tones in _TONES:
                _tell(f"  {group}", [one.routing.skin for one in of_kind if one.monk in tones])
        if kind != "faces":
            for group, tones in _TONES:
                _tell(f"called blurred, {group}", [one.blurred for one in of_kind if one.monk in tones])
        if kind == "isic":
            _list("not routed to the classifier", [one for one in of_kind if not one.routing.lesion])
        if kind == "faces":
            _tell("face", [one.routing.modality.label == "face" for one in of_kind])


def _tell(what: str, hits: Sequence[bool]) -> None:
    if hits:
        low, high = wilson(sum(hits), len(hits))
        print(f"  {what}: {sum(hits)} of {len(hits)}, {sum(hits) / len(hits):.3f} [{max(low, 0.0):.3f}, {high:.3f}]")


def _list(what: str, missed: Sequence[Sample]) -> None:
    if missed:
        print(f"  {what}: " + ", ".join(one.name for one in missed))


def fit(samples: Sequence[Sample]) -> None:
    """Fit both rules, logistic with an L2 penalty of 1 on standardised signs and equal weights of the classes."""
    told = [one for one in samples if one.fitted is not None and one.fitted.colourless < 0.98]
    real = [one for one in told if one.kind in ("clinical", "isic")]
    others = [one for one in told if one.kind == "other"]
    _fit_rule("skin", [*real, *others], [one.kind != "other" for one in [*real, *others]], _skin_terms, whole=True)
    routed = [*real, *(one for one in told if one.kind == "faces")]
    _fit_rule("dermatoscopic", routed, [one.kind == "isic" for one in routed], _dermatoscopic_terms, whole=False)


def _skin_terms(signs: Signs) -> list[float]:
    return [signs.smooth_skin, np.log(max(signs.edges_90, 0.05)), signs.colour_scatter]


def _dermatoscopic_terms(signs: Signs) -> list[float]:
    return [
        np.log(max(signs.edges_98, 0.05)),
        np.log1p(signs.rim_colour),
        np.log1p(signs.rim_light),
        signs.cold,
    ]


def _fit_rule(name: str, samples: Sequence[Sample], wanted: Sequence[bool], terms, *, whole: bool) -> None:  # type: ignore[no-untyped-def]
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import LeaveOneOut, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features = np.array([terms(one.signs if whole else one.fitted) for one in samples])
    truth = np.array(wanted)
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    held_out = cross_val_predict(model, features, truth, cv=LeaveOneOut(), method="decision_function")
    model.fit(features, truth)
    weights = model[1].coef_[0] / model[0].scale_
    print(f"\n{name}: {model[1].intercept_[0] - weights @ model[0].mean_:.2f} + {np.round(weights, 3)}")
    for kind in dict.fromkeys(one.kind for one in samples):
        of_kind = np.sort(held_out[[one.kind == kind for one in samples]])
        print(f"  left out, {kind}: lowest {np.round(of_kind[:5], 2)}, median {np.median(of_kind):.2f}", end="")
        print(f", SD {of_kind.std():.2f}, highest {np.round(of_kind[-5:], 2)}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--other", type=Path, action="append", default=[], metavar="FOLDER")
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    parser.add_argument("--fit", action="store_true")
    options = parser.parse_args(arguments)
    detector = load_faces(ModelStore(options.models))
    samples = [sample(kind, name, rgb, detector) for kind, name, rgb in photos(options.data, options.other)]
    report(samples)
    if options.fit:
        fit(samples)
    return 0


if __name__ == "__main__":
    sys.exit(main())
