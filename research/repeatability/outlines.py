"""How far the diameters of outlines, by networks that have not seen the patient, lie from those of drawn outlines."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import cv2

from ml.imaging.decode import decode
from ml.skin.frame import Frame, Subject
from ml.skin.lesion import geometry, main_lesion, shape_of
from ml.training.unseen_outlines import UnseenOutlines


@dataclass(frozen=True)
class Diameter:
    """``needed``: the limit, relative to the measured diameter, whose uncertainty holds that of the drawn outline."""

    patient: str
    needed: float


def diameters(pad: Path, unseen: UnseenOutlines | None) -> list[Diameter]:
    """The photos of PAD-UFES-20 with a drawn outline and a measured diameter."""
    found = []
    with (pad / "labels.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["mask"]]
    for row in rows:
        frame = Frame(decode((pad / row["file"]).read_bytes()).rgb)
        if unseen is None:
            value, own = geometry(Subject(frame).whole).diameter
        else:
            with unseen.of(row["patient_id"]):
                value, own = geometry(Subject(frame).whole).diameter
        height, width = frame.copy.shape[:2]
        mask = decode((pad / row["mask"]).read_bytes()).rgb[..., 0]
        drawn = main_lesion(cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA) > 127)
        shape = None if drawn is None else shape_of(drawn, (height, width))
        if value is not None and shape is not None:
            beyond = (value - shape.diameter) ** 2 - (own or 0.0) ** 2
            found.append(Diameter(row["patient_id"], math.sqrt(max(0.0, beyond)) / value))
    return found
