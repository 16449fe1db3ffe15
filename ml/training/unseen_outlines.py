"""Outlines of photos that their network was not trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from ml.skin import outline
from ml.training.outline_photos import read_folder
from ml.training.outlines import FOLDS, Network, folds
from ml.values import Floats


class UnseenOutlines:
    """The networks of ``python -m ml.training.outlines FOLDER… --checkpoints CHECKPOINTS``: for each patient of the
    FOLDERs the one that was trained without this patient's photos."""

    def __init__(self, checkpoints: Path, folders: Sequence[Path]) -> None:
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
        network = self._networks[self._fold.get(patient, 0)]

        def logits(batch: Floats) -> Floats:
            with torch.no_grad():
                return np.asarray(network(torch.from_numpy(np.ascontiguousarray(batch))).numpy(), np.float32)

        with mock.patch.object(outline, "_logits", logits):
            yield
