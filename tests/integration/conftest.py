"""What tests on real models share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ml.values import RGB

if TYPE_CHECKING:
    from ml.models.classifier import LesionClassifier
    from ml.models.encoder import Encoder

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.hookimpl(tryfirst=True)  # before the runner reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what loads the frameworks on one worker of the runner: they are loaded once."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.path.name.startswith("test_models"):
            item.add_marker(pytest.mark.xdist_group("models"))


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """Where the fetched models lie. Their absence is a failure: make test brings them."""
    folder = Path(os.environ.get("DERMSERVE_VAR", REPOSITORY / "var")) / "models"
    if not all((folder / name).is_dir() for name in ("efficientnet-lite0", "sklesion", "mediapipe-face")):
        pytest.fail("the models are not here; run: make test", pytrace=False)
    return folder


@pytest.fixture(scope="session")
def encoder(models_dir: Path) -> Encoder:
    """The encoder as it is served."""
    from ml.models.loading import load_encoder

    return load_encoder(models_dir, "efficientnet-lite0", threads=1)


@pytest.fixture(scope="session")
def classifier(models_dir: Path) -> LesionClassifier:
    """The lesion classifier as it is served."""
    from ml.models.classifier import LesionClassifier
    from ml.models.registry import SKLESION
    from ml.models.runtime import RuntimeOptions, load_runtime
    from ml.models.store import ModelStore

    path = ModelStore(models_dir).served(SKLESION)
    return LesionClassifier(SKLESION, load_runtime(SKLESION, path, None, RuntimeOptions()))


def lesion_photo(width: int, height: int, seed: int = 0) -> RGB:
    """Skin-coloured noise with a dark, off-centre blob: generated, of any size, unlike any other seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    middle, spread = rng.uniform(0.3, 0.7, 2), rng.uniform(0.1, 0.3, 2)
    blob = np.exp(-(((x / width - middle[0]) / spread[0]) ** 2) - ((y / height - middle[1]) / spread[1]) ** 2)
    skin = np.array([205.0, 160.0, 135.0]) * rng.uniform(0.5, 1.1)
    photo = skin * (1 - rng.uniform(0.4, 0.8) * blob[..., None]) + rng.normal(0, 6, (height, width, 3))
    return np.clip(np.rint(photo), 0, 255).astype(np.uint8)
