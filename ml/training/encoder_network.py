"""The encoder as it is trained: EfficientNet-Lite0 with fixed batch normalisation, and a softmax head on cosines.

The batch normalisations keep the statistics of ImageNet, so each is a scaling that belongs to the convolution before
it. Computing both as one convolution has the same gradients, and a training step takes two thirds of the time.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ml.values import Vectors

Network = nn.Module
#: photos as the encoder takes them: (n, side, side, 3), 0–255
Photos = NDArray[np.uint8]
_MEAN, _STD = 127.0, 128.0
DIMENSION = 512
_EMBEDDED = 32  # photos in a batch without gradients


def keep_memory() -> None:
    """Make glibc keep freed memory for the next step, instead of returning and mapping it anew: a third of the time."""
    if not sys.platform.startswith("linux"):
        return
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        # M_MMAP_MAX, M_TRIM_THRESHOLD, M_ARENA_MAX, M_TOP_PAD of malloc.h
        for option, value in ((-4, 0), (-1, 2**31 - 1), (-8, 1), (-2, 256 << 20)):
            libc.mallopt(option, ctypes.c_int(value))


def ready(network: Network) -> Network:
    """``network`` on the GPU if there is one, otherwise for all cores that this process may use."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    cv2.setNumThreads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    placed: Any = network  # PyTorch's types lack the memory format
    placed.to(device, memory_format=torch.channels_last)
    return network.eval()


def to_tensor(photos: NDArray[Any], device: torch.device) -> Tensor:
    """Photos (n, side, side, 3), 0–255, as the network's input (n, 3, side, side)."""
    batch = torch.from_numpy(np.array(photos)).to(device).float()
    return ((batch - _MEAN) / _STD).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def embeddings(network: nn.Module, images: Tensor, frozen: int = 0) -> Tensor:
    """What ``network`` (PooledStages) computes: (n, 3, side, side) → (n, 512). ``frozen``: the first blocks that get no
    gradient, the stem with them; with 0 all do."""
    parts: Any = network
    blocks = list(parts.to_192)
    with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
        images = _convolve(parts.stem[0], parts.stem[1], images, active=True)
        for block in blocks[:frozen]:
            images = _block(block, images)
    for block in blocks[frozen:]:
        images = _block(block, images)
    pooled = [F.normalize(stage.mean((2, 3)), dim=1) for stage in (images, _block(parts.to_320, images))]
    return F.normalize(torch.cat(pooled, dim=1), dim=1)


def _convolve(convolution: Any, norm: Any, images: Tensor, *, active: bool) -> Tensor:
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    bias = norm.bias - norm.running_mean * scale
    padding, around = 0, convolution.static_padding
    if isinstance(around, nn.ZeroPad2d):
        left, right, top, bottom = (int(side) for side in around.padding)
        if left == right == top == bottom:
            padding = left
        else:
            images = F.pad(images, (left, right, top, bottom))
    weight = convolution.weight * scale[:, None, None, None]
    images = F.conv2d(images, weight, bias, convolution.stride, padding, 1, convolution.groups)
    return F.relu6(images, inplace=True) if active else images


def _block(block: Any, images: Tensor) -> Tensor:
    """An inverted bottleneck without squeeze-and-excitation, which the Lite networks do not have."""
    facts, inside = block._block_args, images
    if facts.expand_ratio != 1:
        inside = _convolve(block._expand_conv, block._bn0, inside, active=True)
    inside = _convolve(block._depthwise_conv, block._bn1, inside, active=True)
    inside = _convolve(block._project_conv, block._bn2, inside, active=False)
    skips = block.id_skip and facts.stride == 1 and facts.input_filters == facts.output_filters
    return inside + images if skips else inside


@torch.no_grad()
def embed(network: Network, photos: Photos, progress: Callable[[int], None] = lambda done: None) -> Vectors:
    """The embeddings (n, 512) of photos, in batches; ``progress`` gets the number of photos done."""
    found = np.zeros((len(photos), DIMENSION), np.float32)
    device = next(network.parameters()).device
    for start in range(0, len(photos), _EMBEDDED):
        batch = to_tensor(photos[start : start + _EMBEDDED], device)
        found[start : start + len(batch)] = embeddings(network, batch).cpu().numpy()
        progress(start + len(batch))
    return found


class CosineHead(nn.Module):
    """A softmax over cosines of centred embeddings (n, 512) with one direction for each class. Training uses it; then
    it is thrown away."""

    centre: Tensor

    def __init__(self, centre: Tensor, directions: Tensor, scale: float) -> None:
        super().__init__()
        self.register_buffer("centre", centre)
        self.directions = nn.Parameter(directions)
        self._scale = scale

    @classmethod
    def of(cls, vectors: Vectors, targets: NDArray[np.float32], scale: float) -> CosineHead:
        """Each class starts in the mean direction of its photos. ``targets`` (n, C): the photos' shares of classes."""
        values = torch.from_numpy(vectors)
        centre = values.mean(dim=0)
        return cls(centre, torch.from_numpy(targets).T @ F.normalize(values - centre, dim=1), scale)

    def forward(self, vectors: Tensor) -> Tensor:
        """The logits (n, C)."""
        directions = F.normalize(self.directions, dim=1)
        return F.linear(F.normalize(vectors - self.centre, dim=1), directions) * self._scale
