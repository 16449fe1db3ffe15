"""Which photos are meant, and where their overlays go."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".mpo", ".heic", ".heif", ".avif")
)


def find(paths: Iterable[Path]) -> list[Path]:
    """Every file that is named, and every photo (by its suffix) in a folder that is named and below it, by name.

    Raises FileNotFoundError for what does not exist, and for a folder without photos.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.is_file() and file.suffix.lower() in SUFFIXES)
            if not inside:
                raise FileNotFoundError(f"There is no photo in {path} ({', '.join(sorted(SUFFIXES))}).")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise FileNotFoundError(f"There is no file {path}.")
    return found


def save_overlays(answer: Mapping[str, Any], folder: Path, stem: str) -> list[Path]:
    """Write an answer's overlays as ``stem-name.png`` (with the region, where one name has several) into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    overlays = answer.get("overlays") or []
    names = [overlay["name"] for overlay in overlays]
    written = []
    for overlay in overlays:
        parts = [stem, overlay["name"], *([overlay.get("region")] if names.count(overlay["name"]) > 1 else [])]
        path = folder / ("-".join(_harmless(str(part)) for part in parts if part) + ".png")
        path.write_bytes(base64.b64decode(overlay["data_base64"]))
        written.append(path)
    return written


def _harmless(text: str) -> str:
    """``text`` as part of a file's name: what a service sends must not choose a folder."""
    return re.sub(r"[^\w.]+", "_", text).strip(".")
