"""Outlines of photos that their network was not trained on, and how far diameters lie from those of drawn outlines."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import cv2
import numpy as np

from ml.imaging.decode import decode
from ml.skin import outline
from ml.skin.frame import Frame, Subject
from ml.skin.lesion import geometry, main_lesion, shape_of
from ml.values import Floats


class Unseen:
    """The networks of ``python -m ml.training.outlines FOLDER… --checkpoints CHECKPOINTS``: for each patient of the
    FOLDERs the one that was trained without this patient's photos."""

    def __init__(self, checkpoints: Path, folders: Sequence[Path]) -> None:
        import torch

        from ml.training.outline_photos import read_folder
        from ml.training.outlines import FOLDS, Network, folds

        torch.set_num_threads(1)
        photos = [photo for folder in folders for photo in read_folder(folder)]
        self._fold = {photo.whose: int(fold) for photo, fold in zip(photos, folds(photos, FOLDS), strict=True)}
        self._networks = []
        for number in range(FOLDS):
            network = Network().eval()
            network.load_state_dict(torch.load(checkpoints / f"fold{number}.pt", weights_only=True))
            self._networks.append(network)

    @contextmanager
    def of(self, patient: str) -> Iterator[None]:
        """Within this context `ml.skin.outline` uses the network that has not seen the patient."""
        import torch

        network = self._networks[self._fold.get(patient, 0)]

        def logits(batch: Floats) -> Floats:
            with torch.no_grad():
                return np.asarray(network(torch.from_numpy(np.ascontiguousarray(batch))).numpy(), np.float32)

        with mock.patch.object(outline, "_logits", logits):
            yield


@dataclass(frozen=True)
class Diameter:
    """``needed``: the limit, relative to the measured diameter, whose uncertainty holds that of the drawn outline."""

    patient: str
    needed: float


def diameters(pad: Path, unseen: Unseen | None) -> list[Diameter]:
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
