"""``python -m research.repeatability PAD FACES``: how well each measure repeats between two photos of the same skin.

PAD is PAD-UFES-20 (img/, labels.csv). Its pairs are photos of one lesion that were taken at different moments. FACES
is a folder of portraits. Its pairs are photos of one person, by the name of the file: nobody is recognised. Prints for
each measure and kind of region the intraclass correlation ICC(1) (one-way random effects; bootstrap interval over
lesions) and the share of pairs whose difference lies within the uncertainty √(u₁² + u₂²) (Wilson interval). The limits
for that share are fitted in folds to the other patients' pairs.

``--write`` writes limits and figures to ml/skin/params/repeatability.json. A limit is a tolerance limit: with 95%
confidence it holds in 85% of all pairs, by an order statistic of the fitted pairs (Wilks 1941). There
are too few pairs of faces. Their limits are the largest of those from pairs of lesions, for the same measure of skin,
from pairs of portraits, and from simulated pairs: each portrait in twelve strongly different lights and cameras.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2

from ml.models.faces import FaceDetector
from ml.models.loading import LANDMARK_FILE
from ml.models.registry import MEDIAPIPE_FACE
from ml.models.store import ModelStore
from ml.skin.catalogue import CATALOGUE
from ml.skin.declaration import REPEATABILITY
from ml.skin.face import face_zones
from ml.skin.frame import Frame, Subject
from ml.skin.measure import measure_skin
from ml.training.unseen_outlines import UnseenOutlines
from ml.values import RGB, Measurement, Zone
from research.repeatability.outlines import diameters
from research.repeatability.pairs import CONFIDENCE, CONTENT, FOLDS, Reading, Readings, evaluate, facts_of_lengths
from research.repeatability.photos import LESIONS, PORTRAITS, SIMULATED, Photo, lesion_photos, portraits, relit

PARAMETERS = Path("ml/skin/params/repeatability.json")
_WHOLE = ("skin", "face", "photo", "lesion", "lesion_minus_surrounding")  # all other regions are zones of a face


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pad", type=Path, metavar="PAD")
    parser.add_argument("faces", type=Path, metavar="FACES")
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    parser.add_argument(
        "--checkpoints", type=Path, help="networks of ml.training.outlines, so that each lesion's outline is unseen"
    )
    parser.add_argument("--outlined", type=Path, nargs="+", metavar="FOLDER", help="the folders they were trained on")
    parser.add_argument("--write", action="store_true", help=f"write {PARAMETERS}")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    store = ModelStore(options.models)
    meter = Meter(FaceDetector(store.served(MEDIAPIPE_FACE), store.folder(MEDIAPIPE_FACE) / LANDMARK_FILE))
    photos = [*lesion_photos(options.pad), *portraits(options.faces)]
    photos += [photo for portrait in portraits(options.faces, alone=True) for photo in relit(portrait)]
    unseen = UnseenOutlines(options.checkpoints, options.outlined) if options.checkpoints else None
    facts = evaluate([(photo, measured(photo, meter, unseen)) for photo in photos])
    drawn = diameters(options.pad, unseen)
    facts["lesion_diameter_mm"] = {
        "lesion": facts_of_lengths([one.needed for one in drawn], [one.patient for one in drawn])
    }
    print_facts(facts)
    if options.write:
        write(facts, photos, unseen=unseen is not None)
    return 0


def measured(photo: Photo, meter: Meter, unseen: UnseenOutlines | None) -> Readings:
    """What ``meter`` reads in a photo. Lesions are outlined by a network that has not seen the patient, if there is
    one."""
    if unseen is None or photo.source != LESIONS:
        return meter(photo.rgb)
    with unseen.of(photo.patient):
        return meter(photo.rgb)


class Meter:
    """Measures a photo like the service with full detail, with the zones of a face if there is one."""

    def __init__(self, faces: FaceDetector) -> None:
        self._faces = faces

    def __call__(self, rgb: RGB) -> Readings:
        frame = Frame(rgb)
        zones = self._zones(rgb, frame.copy)
        skin = measure_skin(Subject(frame, zones, portrait=bool(zones)), full=True)
        found = [*skin.measurements, *(m for zone in skin.zones or () for m in zone.measurements)]
        return {(m.name, kind_of(m), m.region): reading for m in found if (reading := reading_of(m)) is not None}

    def _zones(self, rgb: RGB, small: RGB) -> tuple[Zone, ...]:
        for face in self._faces.detect(rgb, small):
            landmarks = self._faces.landmarks(rgb, face)
            if landmarks is not None:
                return face_zones(landmarks, rgb.shape[1], rgb.shape[0])
        return ()


def kind_of(measurement: Measurement) -> str:
    return measurement.region if measurement.region in _WHOLE else "zone"


def reading_of(measurement: Measurement) -> Reading | None:
    """The value, and the uncertainty less the limit that is in use. None without a value."""
    if measurement.value is None:
        return None
    fitted = REPEATABILITY.get(measurement.name, {}).get(kind_of(measurement))
    limit = fitted.limit(measurement.value) if fitted else 0.0
    return Reading(measurement.value, math.sqrt(max(0.0, (measurement.uncertainty or 0.0) ** 2 - limit**2)))


def print_facts(facts: Mapping[str, Mapping[str, Any]]) -> None:
    print(
        f"{'measure':32}{'region':26}{'pairs':>6}{'ICC':>6}  {'95%':14}{'holds':>6}  {'95%':12}{'limit':>8}  standard"
    )
    for name, kinds in facts.items():
        for kind, found in kinds.items():
            icc = interval = holds = span = ""
            if "icc" in found:
                icc, interval = f"{found['icc']:.2f}", "{:.2f} to {:.2f}".format(*found["icc_interval"])
            if "coverage" in found:
                holds, span = f"{found['coverage']:.2f}", "{:.2f} to {:.2f}".format(*found["coverage_interval"])
            limit = f"{found['relative']:.0%}" if found["relative"] else f"{found['absolute']:g}"
            standard = "yes" if kind in CATALOGUE[name].standard_regions else ""
            print(f"{name:32}{kind:26}{found['n']:6}{icc:>6}  {interval:14}{holds:>6}  {span:12}{limit:>8}  {standard}")


def write(facts: Mapping[str, Mapping[str, Any]], photos: Sequence[Photo], *, unseen: bool) -> None:
    def number(source: str) -> str:
        some = [photo for photo in photos if photo.source == source]
        return f"{len(some)} photos of {len({photo.subject for photo in some})}"

    patients = len({photo.patient for photo in photos if photo.source == LESIONS})
    networks = " --checkpoints NETWORKS --outlined PAD ISIC2017" if unseen else ""
    head = {
        "what": "a value v of two photos of the same skin moves by absolute + relative * |v|, in its unit, beyond what "
        "its own photo shows",
        "fitted": {
            "command": f"python -m research.repeatability PAD FACES{networks} --write",
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "data": f"PAD-UFES-20: {number(LESIONS)} lesions of {patients} patients; {number(PORTRAITS)} person; "
            f"{number(SIMULATED)} portraits in simulated lights",
            "limit": f"tolerance limit for {CONTENT:.0%} of pairs with {CONFIDENCE:.0%} confidence",
            "coverage": f"limits from other patients' pairs, {FOLDS} folds",
            "outlines": "by networks that were trained without the patient" if unseen else "by the network in use",
            "faces": "the largest of the limits from lesions' skin, from pairs of portraits, and from simulated pairs "
            "times 1.5",
        },
    }
    lines = [json.dumps(head, indent=1)[:-2] + ",", ' "measures": {']
    for name, kinds in facts.items():
        inner = ",\n".join(f"   {json.dumps(kind)}: {json.dumps(found)}" for kind, found in kinds.items())
        lines.append(f"  {json.dumps(name)}: {{\n{inner}\n  }},")
    lines[-1] = lines[-1].removesuffix(",")
    PARAMETERS.write_text("\n".join([*lines, " }", "}", ""]), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
