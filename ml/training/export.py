"""Reads the network that a training starts from, and exports the trained one."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ml.models import torch_runtime
from ml.models.runtime import Output
from ml.models.spec import ModelSpec
from ml.models.store import ModelStore
from ml.values import RGB


def starting_network(store: ModelStore, spec: ModelSpec) -> nn.Module:
    """The network of a fetched model, whose source files are verified. Raises ArtifactError."""
    store.verify(spec)
    return torch_runtime.make_module(spec, store.folder(spec) / "source")


def export_network(network: nn.Module, spec: ModelSpec, folder: Path, image: RGB) -> Output:
    """Write the served file of ``spec`` into ``folder``. Returns the network's own output (512,) for ``image``."""
    plain: Any = deepcopy(network)  # PyTorch's types lack the memory format
    plain.to("cpu", memory_format=torch.contiguous_format)
    return torch_runtime.export_module(plain.requires_grad_(False).eval(), spec, folder, image)
