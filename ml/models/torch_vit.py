"""The image tower of CLIP's vision transformers, by the parameter names that open_clip writes.

Architecture: Dosovitskiy et al. 2021 (ViT) with the pre- and post-norm and projection of Radford et al. 2021 (CLIP).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_HEAD_WIDTH = 64  # CLIP's towers all use 64 channels a head


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
    """(n, 3, side, side) → (n, dimension), L2-normalised."""

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
