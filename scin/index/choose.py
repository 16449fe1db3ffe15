"""Finds the encoder of an index. This module imports no ML framework, because the boot checks use it."""

from __future__ import annotations

from pathlib import Path

from scin.index.manifest import Manifest

#: the folder of a trained encoder in its index, and the file that shows that there is one
ENCODER_FOLDER = "encoder"
_ENCODER_FILE = f"{ENCODER_FOLDER}/spec.json"


def encoder_of(folder: Path, manifest: Manifest) -> str:
    """The encoder that made the index: the path of its own folder, or the name of a general encoder."""
    return str(folder / ENCODER_FOLDER) if _ENCODER_FILE in manifest.files else manifest.encoder
