"""Compiles a model for this host, tries each engine against the native one, and records what was found."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ml.engines.choice import COMPILABLE, best
from ml.engines.host import describe_host, installed_version
from ml.engines.record import (
    ENGINES,
    FOLDER,
    NATIVE,
    RECORD_FILE,
    EngineResult,
    EnginesRecord,
    check_files,
    read_record,
    result_from_json,
    served_digests,
    why_stale,
    write_record,
)
from ml.errors import ArtifactError
from ml.models.spec import ModelSpec
from ml.models.store import ModelStore
from storage.base import sha256_file

#: a step that takes longer is ended, and the model goes on natively
STEP_LIMIT_S = 300
ROOT = Path(__file__).resolve().parents[2]
#: a child process is not told about threads by gunicorn's configuration
CHILD_ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "TF_CPP_MIN_LOG_LEVEL": "2"}
_ONNX = "converted.onnx"

#: (model's spec, what is served natively, the ONNX file to write)
Converter = Callable[[ModelSpec, Path, Path], None]


@dataclass(frozen=True)
class Prepared:
    """``made`` is False if a current record was there."""

    record: EnginesRecord
    made: bool


def installed_engines() -> tuple[str, ...]:
    return tuple(name for name in ENGINES if installed_version(name) is not None)


def prepare(
    store: ModelStore,
    spec: ModelSpec,
    engines: Sequence[str] | None = None,
    *,
    threads: int = 1,
    force: bool = False,
    convert: Converter | None = None,
) -> Prepared:
    """Bring a fetched model's compiled engines up to date. ``engines``: those to try; by default all installed ones.

    What cannot be compiled or does not agree is recorded with its reason, and is not tried again until a package, the
    processor or the model changes, or with ``force``. ``convert`` stands in for the conversion to ONNX. Raises
    ArtifactError if the model itself is not there or runs natively only, and OSError if nothing can be written.
    """
    if spec.runtime not in COMPILABLE:
        raise ArtifactError(f"{spec.name} runs natively only: there is nothing to prepare.")
    manifest = store.verify(spec, sources=False)
    engines = installed_engines() if engines is None else tuple(engines)
    folder, source = store.folder(spec), served_digests(spec, manifest.files)
    old = _current(folder, spec, source, engines)
    if old is not None and not force:
        return Prepared(old, made=False)
    with _workshop(store, spec, threads) as workshop:
        results = workshop.try_all(engines, convert or _convert)
        record = EnginesRecord(
            source=source,
            host=describe_host(),
            framework_version=str(installed_version(spec.framework)),
            threads=threads,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            results=results,
            choice=best(results),
        )
        _put_in_place(folder, workshop.folder / FOLDER, record)
    return Prepared(record, made=True)


def measure(store: ModelStore, spec: ModelSpec, *, threads: int = 1) -> dict[str, EngineResult]:
    """Every installed engine's trial, here and now; nothing is kept. Raises ArtifactError and OSError."""
    store.verify(spec, sources=False)
    with _workshop(store, spec, threads) as workshop:
        return workshop.try_all(installed_engines(), _convert)


def _current(folder: Path, spec: ModelSpec, source: Mapping[str, str], engines: Sequence[str]) -> EnginesRecord | None:
    """The record, if what it says of ``engines`` holds here and their files are whole; and it chose one of them."""
    try:
        record = read_record(folder)
        if record is None or not set(engines) <= set(record.results) or record.choice not in (NATIVE, *engines):
            return None
        for name in engines:
            if why_stale(record, name, spec, source) is not None:
                return None
            check_files(folder, record.results[name].files)
    except ArtifactError:
        return None
    return record


@dataclass(frozen=True)
class _Workshop:
    """A folder in which one model's engines are made. ``served`` is what the native engine loads."""

    spec: ModelSpec
    served: Path
    folder: Path
    threads: int

    def try_all(self, engines: Sequence[str], convert: Converter) -> dict[str, EngineResult]:
        onnx = self.folder / _ONNX
        try:
            convert(self.spec, self.served, onnx)
        except StepError as error:
            return {name: EngineResult(str(installed_version(name)), f"not converted: {error}") for name in engines}
        return {name: self._try(name, onnx) for name in engines}

    def _try(self, engine: str, onnx: Path) -> EngineResult:
        target = self.folder / FOLDER / engine
        target.mkdir(parents=True)
        try:
            answer = _run_child(self.folder, "trial", self.spec.name, self.served, onnx, engine, target, self.threads)
        except StepError as error:
            result = EngineResult(str(installed_version(engine)), f"it failed: {error}")
        else:
            result = result_from_json(json.loads(answer))
        if result.problem is not None:
            shutil.rmtree(target)
            return result
        files = sorted(path for path in target.rglob("*") if path.is_file())
        return replace(result, files={path.relative_to(self.folder).as_posix(): sha256_file(path) for path in files})


@contextmanager
def _workshop(store: ModelStore, spec: ModelSpec, threads: int) -> Iterator[_Workshop]:
    """In the model's folder, so that what was made there only needs to be renamed."""
    with tempfile.TemporaryDirectory(dir=store.folder(spec), prefix=".preparing-") as temporary:
        # Children run where the application lies, so they need whole paths.
        yield _Workshop(spec, store.served(spec).resolve(), Path(temporary).resolve(), threads)


def _put_in_place(folder: Path, compiled: Path, record: EnginesRecord) -> None:
    """Files are never changed where they lie: a running service has them in its memory, and keeps the old ones."""
    (folder / RECORD_FILE).unlink(missing_ok=True)
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    compiled.mkdir(exist_ok=True)
    compiled.rename(folder / FOLDER)
    write_record(folder, record)


class StepError(Exception):
    """A child process failed. One line: the last that it wrote."""


def _convert(spec: ModelSpec, served: Path, onnx: Path) -> None:
    _run_child(onnx.parent, "convert", spec.name, served, onnx)


def _run_child(work: Path, *arguments: object) -> str:
    """The result of one step of ml.engines.child. Raises StepError."""
    result = work / "result.json"
    result.unlink(missing_ok=True)
    command = [sys.executable, "-m", "ml.engines.child", *map(str, arguments), str(result)]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=CHILD_ENVIRONMENT,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=STEP_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise StepError(f"it took more than {STEP_LIMIT_S} s") from error
    if done.returncode == 0 and result.is_file():
        return result.read_text()
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    raise StepError(f"exit status {done.returncode}: {lines[-1][:200] if lines else 'it said nothing'}")
