"""Chooses the index and the encoder of a service: the best index in a folder, and the encoder that made it.

This module imports no ML framework, because the boot checks use it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ml.errors import ArtifactError
from scin.index.manifest import MANIFEST_FILE, Manifest, read_manifest, verify_files
from scin.index.vote import CALIBRATION_FILE

_LOG = logging.getLogger(__name__)

#: the folder of a trained encoder in its index, and the file that shows that there is one
ENCODER_FOLDER = "encoder"
_ENCODER_FILE = f"{ENCODER_FOLDER}/spec.json"
#: ends of the names of folders that a build keeps beside an index
_UNFINISHED = (".shards", ".tmp")


class _Candidate(NamedTuple):
    folder: Path
    manifest: Manifest

    @property
    def rank(self) -> tuple[bool, bool, int, bool, int]:
        """Real before synthetic, evaluated before not, more cases, own encoder before a general one, newer."""
        files = self.manifest.files
        modified = (self.folder / MANIFEST_FILE).stat().st_mtime_ns
        real, evaluated = not self.manifest.synthetic, CALIBRATION_FILE in files
        return real, evaluated, self.manifest.cases, _ENCODER_FILE in files, modified


def choose_index(folder: Path, check: Callable[[Path, Manifest], None]) -> Path:
    """The best usable index in ``folder``: real before synthetic, then evaluated, with more cases, newer.

    ``check`` raises ArtifactError if the service cannot use an index, for instance because its encoder is missing. Each
    file is compared with its digest. An index that cannot be used is skipped, and logged unless it is synthetic.
    Raises ArtifactError if there is no usable index, with the reason of the best one.
    """
    problem: ArtifactError | None = None
    for candidate in sorted(_candidates(folder), key=lambda one: one.rank, reverse=True):
        try:
            check(candidate.folder, candidate.manifest)
            verify_files(candidate.folder, candidate.manifest)
        except ArtifactError as error:
            problem = problem or error
            if not candidate.manifest.synthetic:
                _log_skipped(candidate.folder, error)
        else:
            return candidate.folder
    raise problem or ArtifactError(f"There is no index in {folder}. Build one: python -m scin sample")


def encoder_of(folder: Path, manifest: Manifest) -> str:
    """The encoder that made the index: the path of its own folder, or the name of a general encoder."""
    return str(folder / ENCODER_FOLDER) if _ENCODER_FILE in manifest.files else manifest.encoder


def _candidates(folder: Path) -> Iterator[_Candidate]:
    """The indexes with a readable manifest. Hidden folders and those of unfinished builds are left out."""
    for one in sorted(folder.iterdir()) if folder.is_dir() else ():
        if one.name.startswith(".") or one.name.endswith(_UNFINISHED) or not (one / MANIFEST_FILE).is_file():
            continue
        try:
            yield _Candidate(one, read_manifest(one))
        except ArtifactError as error:
            _log_skipped(one, error)


def _log_skipped(folder: Path, error: ArtifactError) -> None:
    _LOG.warning("The index in %s is not served: %s", folder, error.message)
