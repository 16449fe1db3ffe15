"""Model files on disk, in ``<root>/<name>/<version>/``. Each folder is complete and has a manifest with digests.

A trained encoder stays in its own folder, wherever that is. Only what is compiled of it is below ``<root>``.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ml.errors import ArtifactError
from ml.models import trained
from ml.models.golden import golden_image
from ml.models.runtime import framework_of
from ml.models.spec import ModelSpec, Source
from storage import StorageError, open_storage
from storage.base import download, sha256_file

MANIFEST_FILE = "manifest.json"
#: the folder of a model's compiled files (see ml.models.compiled)
COMPILED = "compiled"
_SOURCE = "source/"


@dataclass(frozen=True)
class ModelManifest:
    """The manifest of a fetched model. ``files``: each file in the folder → sha256. ``golden``: the original model's
    answer (output_dim) to the golden image; None for models without a recipe."""

    name: str
    version: str
    framework: str
    licence: str
    source: str
    fingerprint: str
    fetched_at: str
    files: Mapping[str, str]
    golden: list[float] | None


class ModelStore:
    """The models below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, spec: ModelSpec) -> Path:
        """The folder of the model's manifest and files."""
        return spec.home or self._place(spec)

    def compiled(self, spec: ModelSpec) -> Path:
        """The folder of what this machine compiled of the model. It is always below the store's own folder."""
        return self._place(spec) / COMPILED

    def _place(self, spec: ModelSpec) -> Path:
        return self.root / spec.name / spec.version

    def served(self, spec: ModelSpec) -> Path:
        """The file or folder that the framework loads."""
        return self.folder(spec) / spec.served

    def manifest(self, spec: ModelSpec) -> ModelManifest:
        """Raises ArtifactError if the model was not fetched or its manifest cannot be read."""
        path = self.folder(spec) / MANIFEST_FILE
        try:
            manifest = ModelManifest(**json.loads(path.read_text()))
        except FileNotFoundError as error:
            if spec.home is not None:
                raise ArtifactError(f"{path} is missing. {remedy(spec)}") from error
            raise ArtifactError(
                f"The model {spec.name} {spec.version} is not in {self.root}. Fetch it: python -m ml fetch {spec.name}"
            ) from error
        except (ValueError, TypeError) as error:
            raise ArtifactError(f"{path} is damaged. {remedy(spec)}") from error
        if spec.home is not None:
            _check_belongs(spec, manifest, path)
        return manifest

    def verify(self, spec: ModelSpec, *, sources: bool = True) -> ModelManifest:
        """Compare every file with its digest. ``sources``: also check the files that a recipe has converted.

        Raises ArtifactError, which names the first file that is missing or differs.
        """
        manifest = self.manifest(spec)
        for name, digest in (spec.source.files if spec.source else {}).items():
            if manifest.files.get(spec.place(name)) != digest:
                raise ArtifactError(f"{spec.place(name)} of {spec.name} is not the pinned file. {remedy(spec)}")
        wanted = {name: digest for name, digest in manifest.files.items() if sources or not name.startswith(_SOURCE)}
        check_files(self.folder(spec), wanted, remedy(spec))
        return manifest

    def fetch(self, spec: ModelSpec, source: str | None = None, *, force: bool = False) -> bool:
        """Download and convert a model and write its manifest. Returns False if a verified copy is already there.

        ``source`` (a URI for storage.open_storage) replaces the spec's source. If it fails, the folder is unchanged.
        ``force``: fetch it again in any case. Raises ArtifactError.
        """
        if spec.home is not None:  # a trained encoder is there as a whole, or it is damaged
            self.verify(spec)
            return False
        if not force and self._is_whole(spec):
            return False
        origin = _origin(spec, source)
        folder = self.folder(spec)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as temporary:
            work = Path(temporary, "model")
            work.mkdir()
            _download(spec, origin, work)
            golden = _convert(spec, work) if spec.recipe else None
            manifest = _describe(spec, origin, work, golden)
            (work / MANIFEST_FILE).write_text(json.dumps(asdict(manifest), indent=1) + "\n")
            shutil.rmtree(folder, ignore_errors=True)
            work.rename(folder)
        return True

    def _is_whole(self, spec: ModelSpec) -> bool:
        try:
            self.verify(spec)
        except ArtifactError:
            return False
        return True


def check_files(folder: Path, files: Mapping[str, str], remedy: str) -> None:
    """Compare ``files`` in ``folder`` (name → sha256) with their digests.

    Raises ArtifactError, which names the first file that is missing or differs, and ends with ``remedy``.
    """
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            raise ArtifactError(f"{path} is missing. {remedy}")
        if sha256_file(path) != expected:
            raise ArtifactError(f"{path} does not match its sha256 {expected[:12]}…. {remedy}")


def _origin(spec: ModelSpec, uri: str | None) -> Source:
    if uri is not None:
        # A mirror has the files at its top level; a wheel has them in the folder of its package.
        pinned = spec.source.files if spec.source else {}
        return Source(uri, {Path(name).name: digest for name, digest in pinned.items()})
    if spec.source is None:
        raise ArtifactError(
            f"{spec.name} may not be redistributed ({spec.licence}): get it from its owners, "
            f"then run: python -m ml fetch {spec.name} --source FOLDER (or https, s3://, gs://)"
        )
    return spec.source


def _download(spec: ModelSpec, origin: Source, work: Path) -> None:
    digests: Mapping[str, str | None] = origin.files or dict.fromkeys(spec.needed)
    try:
        store = open_storage(origin.uri)
        for name, digest in digests.items():
            download(store, name, work / spec.place(name), digest)
    except StorageError as error:
        raise ArtifactError(f"{spec.name} could not be fetched: {error}") from error


def _convert(spec: ModelSpec, work: Path) -> list[float]:
    """Make the served files. Returns the golden answer (output_dim). Raises ArtifactError."""
    try:
        return [float(value) for value in framework_of(spec).export(spec, work, golden_image())]
    except Exception as error:
        raise ArtifactError(
            f"The files of {spec.name} were fetched but cannot be converted: {type(error).__name__}. "
            "Check that the source has this model."
        ) from error


def _describe(spec: ModelSpec, origin: Source, work: Path, golden: list[float] | None) -> ModelManifest:
    files = sorted(path for path in work.rglob("*") if path.is_file())
    digests = {path.relative_to(work).as_posix(): sha256_file(path) for path in files}
    sources = {name: digest for name, digest in digests.items() if name.startswith(_SOURCE)} or digests
    return ModelManifest(
        name=spec.name,
        version=spec.version,
        framework=spec.framework,
        licence=spec.licence,
        source=origin.uri,
        fingerprint=spec.fingerprint(sources),
        fetched_at=datetime.now(UTC).isoformat(timespec="seconds"),
        files=digests,
        golden=golden,
    )


def _check_belongs(spec: ModelSpec, manifest: ModelManifest, path: Path) -> None:
    """Raises ArtifactError if the ``manifest`` of a trained encoder, read from ``path``, is not that of ``spec``."""
    names = manifest.files if isinstance(manifest.files, dict) else {}
    inside = all(isinstance(digest, str) and Path(name).name == name for name, digest in names.items())
    if not inside or spec.served not in names or trained.SPEC_FILE not in names:
        raise ArtifactError(f"{path} is damaged. {remedy(spec)}")
    stated = (manifest.name, manifest.version, manifest.fingerprint)
    if stated != (spec.name, spec.version, spec.fingerprint({spec.served: names[spec.served]})):
        raise ArtifactError(f"{path} belongs to another encoder than {trained.SPEC_FILE} beside it. {remedy(spec)}")


def remedy(spec: ModelSpec) -> str:
    """What to do if the model's files are missing or altered."""
    if spec.home is not None:
        return trained.remedy(spec.home)
    return f"Fetch it again: python -m ml fetch {spec.name} --force"
