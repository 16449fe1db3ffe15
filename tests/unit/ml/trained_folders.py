"""Folders of trained encoders with a few bytes instead of weights."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from ml.models.registry import EFFICIENTNET_LITE0
from ml.models.store import ModelManifest
from ml.models.trained import write_spec
from storage.base import sha256_file


def write_folder(folder: Path, name: str = "mine", weights: bytes = b"weights") -> Path:
    """A folder as ``scin train`` writes it, whose served file cannot be loaded."""
    folder.mkdir(parents=True)
    spec = replace(EFFICIENTNET_LITE0, name=name, version="v1", source=None, card=None)
    write_spec(spec, folder)
    (folder / spec.served).write_bytes(weights)
    (folder / "card.md").write_text(f"# {name}\n")
    files = {path.name: sha256_file(path) for path in sorted(folder.iterdir())}
    manifest = ModelManifest(
        name=name,
        version=spec.version,
        framework=spec.framework,
        licence=spec.licence,
        source="photos",
        fingerprint=spec.fingerprint({spec.served: files[spec.served]}),
        fetched_at="2026-01-01T00:00:00+00:00",
        files=files,
        golden=None,
    )
    (folder / "manifest.json").write_text(json.dumps(asdict(manifest)))
    return folder
