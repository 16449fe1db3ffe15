"""The steps that turn a model's source files into what is served. Frameworks are imported only when a step runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.models.spec import ModelSpec
from ml.values import RGB

#: (spec, the model's folder, the golden image) → the unconverted model's output for that image
Recipe = Callable[[ModelSpec, Path, RGB], NDArray[np.float32]]


def _efficientnet_lite0(spec: ModelSpec, folder: Path, image: RGB) -> NDArray[np.float32]:
    from ml.models.torch_export import export_efficientnet_lite0

    return export_efficientnet_lite0(spec, folder, image)


def _open_clip_vit(spec: ModelSpec, folder: Path, image: RGB) -> NDArray[np.float32]:
    from ml.models.torch_export import export_open_clip_vit

    return export_open_clip_vit(spec, folder, image)


def _keras(spec: ModelSpec, folder: Path, image: RGB) -> NDArray[np.float32]:
    from ml.models.tensorflow_export import export_keras

    return export_keras(spec, folder, image)


RECIPES: dict[str, Recipe] = {
    "efficientnet-lite0-192+320": _efficientnet_lite0,
    "open-clip-vit": _open_clip_vit,
    "keras-to-saved-model": _keras,
}
