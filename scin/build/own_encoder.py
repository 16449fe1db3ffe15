"""A trained encoder travels with its index: its files are copied, and the photos that it was trained on are marked."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from ml.models.spec import ModelSpec
from ml.models.store import MANIFEST_FILE
from ml.models.trained import CARD_FILE, SEEN_FILE, SPEC_FILE
from scin.build.shards import BuildError


@dataclass(frozen=True)
class OwnEncoder:
    """``photos``: the sha256 of the photos that the encoder was trained on, or stopped by. ``files``: to copy; empty
    for an encoder that was not trained here."""

    photos: frozenset[str]
    files: tuple[Path, ...]

    def copy(self, target: Path) -> None:
        """Copy the files into ``target``, which does not exist yet."""
        if self.files:
            target.mkdir()
        for path in self.files:
            shutil.copyfile(path, target / path.name)


def read_own_encoder(spec: ModelSpec) -> OwnEncoder:
    """What an index keeps of its encoder. Raises BuildError if the list of photos is missing or damaged."""
    if spec.home is None:
        return OwnEncoder(frozenset(), ())
    path = spec.home / SEEN_FILE
    try:
        photos = frozenset(map(str, json.loads(path.read_text(encoding="utf-8"))["photos"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f"{path} is missing or damaged. Without it, figures would count photos that the encoder was trained on. "
            "Use the whole folder that python -m scin train wrote."
        ) from error
    names = (SPEC_FILE, MANIFEST_FILE, spec.served, CARD_FILE, SEEN_FILE)
    return OwnEncoder(photos, tuple(spec.home / name for name in names))
