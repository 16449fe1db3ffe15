"""Puts the models and the index of a bundle into DERMSERVE_VAR. Each folder is replaced as a whole, or left alone."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from deploy.bundle.contents import Part, sha256_of


def is_in_place(var: Path, folder: str, parts: Sequence[Part]) -> bool:
    """Whether ``folder`` below ``var`` has exactly these files."""
    files = {path.relative_to(var).as_posix() for path in (var / folder).rglob("*") if path.is_file()}
    if files != {part.path for part in parts}:
        return False
    return all(
        (var / part.path).stat().st_size == part.size and sha256_of(var / part.path) == part.sha256 for part in parts
    )


def place_folder(var: Path, folder: str, parts: Sequence[Part], origin: Path) -> None:
    """Fill ``folder`` below ``var`` with verified parts of ``origin``. What was there before is deleted afterwards; a
    service that has the old files open can still read them. Raises OSError."""
    target = var / folder
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=target.parent, prefix=".bundle-"))
    try:
        for part in parts:
            file = work / "new" / Path(part.path).relative_to(folder)
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin / part.sha256, file)
        with suppress(FileNotFoundError):
            target.rename(work / "old")
        try:
            (work / "new").rename(target)
        except OSError:
            if (work / "old").exists():
                (work / "old").rename(target)
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
