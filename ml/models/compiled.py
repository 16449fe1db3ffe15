"""Compiled models: the record of what was made on this machine, and whether a load may use it.

``ml.models.compiling`` compiles a model for ONNX Runtime and compares it with its framework. The record lies beside the
model's manifest and not in it: the manifest says what was fetched and holds on every machine; the record says what was
made of that on this one, and can be thrown away and made again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ml.errors import ArtifactError
from ml.models.spec import ModelSpec
from ml.models.store import ModelStore
from storage.base import sha256_file

_LOG = logging.getLogger(__name__)

#: what may be asked to run models: whatever the record allows, each model's own framework, or compiled models only
AUTO, NATIVE, ONNXRUNTIME = "auto", "native", "onnxruntime"
#: below a model's folder
RECORD_FILE = "compiled.json"
FOLDER = "compiled"
_FORMAT = 1

_CPUINFO = Path("/proc/cpuinfo")
#: a framework or runtime → the distributions that bring it
_DISTRIBUTIONS: Mapping[str, tuple[str, ...]] = {
    "pytorch": ("torch",),
    "tensorflow": ("tensorflow-cpu", "tensorflow"),
    ONNXRUNTIME: ("onnxruntime",),
}


@dataclass(frozen=True)
class Origin:
    """What a compiled model holds for: the sha256 of the files it was made from, the processor it was made on, and the
    versions of the packages that made it (None: not installed)."""

    files: Mapping[str, str]
    processor: Mapping[str, str]
    versions: Mapping[str, str | None]

    def difference(self, here: Origin) -> str | None:
        """Why what was made from this does not hold ``here``, in a few words; None if it does."""
        if self.files != here.files:
            return "it was made from other files"
        if self.processor != here.processor:
            return f"it was made on another processor ({self.processor.get('cpu', 'unknown')})"
        for name, found in here.versions.items():
            if self.versions.get(name) != found:
                return f"it was made with {name} {self.versions.get(name)}, and {found} is installed"
        return None


@dataclass(frozen=True)
class CompiledRecord:
    """``problem`` says why the compiled model cannot be used, None if it agrees. ``differences``: what was compared →
    the largest difference from the framework's answer. ``files``: path below the model's folder → sha256."""

    origin: Origin
    made_at: str
    problem: str | None
    differences: Mapping[str, float] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    format: int = _FORMAT

    def summary(self) -> str:
        """One line for people."""
        if self.problem is not None:
            return f"runs natively: {self.problem}"
        differences = ", ".join(f"{name} {value:.1e}" for name, value in self.differences.items() if value)
        return f"runs by {ONNXRUNTIME} {self.origin.versions[ONNXRUNTIME]}, which agrees ({differences or 'exactly'})"


def can_compile(spec: ModelSpec) -> bool:
    """A tf.Example is parsed by TensorFlow alone; LiteRT models are run by LiteRT."""
    return spec.format in ("torch-export", "saved-model")


def choose(store: ModelStore, spec: ModelSpec, wanted: str, *, gpu: bool = False) -> Path | None:
    """The folder of the model's compiled files, compared with their digests; None: its framework runs it.

    ``wanted``: AUTO, NATIVE or ONNXRUNTIME. With AUTO, a model whose compiled files cannot be used runs natively, and
    one log line says why. With ONNXRUNTIME they are used or refused: raises ArtifactError, in one line. On a GPU
    everything runs natively.
    """
    if gpu or wanted == NATIVE or spec.format == "litert" or (wanted == AUTO and not can_compile(spec)):
        return None
    try:
        return _usable(store, spec)
    except ArtifactError as error:
        if wanted != AUTO:
            raise ArtifactError(f"DERMSERVE_ENGINE={wanted}: {error.message}") from error
        _LOG.warning("%s runs natively: %s", spec.name, error.message)
        return None


def _usable(store: ModelStore, spec: ModelSpec) -> Path:
    """Raises ArtifactError, which says why not and what to do."""
    if not can_compile(spec):
        raise ArtifactError(f"{spec.name} runs natively only. Set DERMSERVE_ENGINE=auto or native.")
    folder, again = store.folder(spec), f"Run: python -m ml prepare {spec.name}"
    record = read_record(folder)
    if record is None:
        raise ArtifactError(f"{spec.name} was not compiled on this machine. {again}")
    if stale := record.origin.difference(origin_here(spec, store.manifest(spec).files)):
        raise ArtifactError(f"what was compiled of {spec.name} does not hold here: {stale}. {again}")
    if record.problem is not None:
        raise ArtifactError(
            f"{ONNXRUNTIME} cannot run {spec.name}: {record.problem}. Set DERMSERVE_ENGINE=auto or native."
        )
    check_files(folder, record.files)
    return folder / FOLDER


def read_record(folder: Path) -> CompiledRecord | None:
    """The record in a model's folder; None if there is none of this format. Raises ArtifactError if it is damaged."""
    path = folder / RECORD_FILE
    try:
        facts = json.loads(path.read_text())
        if facts["format"] != _FORMAT:
            return None
        return CompiledRecord(origin=Origin(**facts.pop("origin")), **facts)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtifactError(f"{path} is damaged. {_again(folder)}") from error


def write_record(folder: Path, record: CompiledRecord) -> None:
    """Whole or not at all."""
    temporary = folder / f".{RECORD_FILE}"
    temporary.write_text(json.dumps(asdict(record), indent=1) + "\n")
    temporary.replace(folder / RECORD_FILE)


def check_files(folder: Path, files: Mapping[str, str]) -> None:
    """Raises ArtifactError naming the first compiled file that is missing or differs from its digest."""
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            raise ArtifactError(f"{path} is missing. {_again(folder)}")
        if sha256_file(path) != expected:
            raise ArtifactError(f"{path} does not match its sha256 {expected[:12]}…. {_again(folder)}")


def origin_here(spec: ModelSpec, files: Mapping[str, str]) -> Origin:
    """What a compiled model would be made from here and now. ``files``: the manifest's."""
    served = {
        name: digest for name, digest in files.items() if name == spec.served or name.startswith(f"{spec.served}/")
    }
    versions = {name: installed_version(name) for name in (spec.framework, ONNXRUNTIME)}
    return Origin(served, describe_processor(), versions)


def installed_version(name: str) -> str | None:
    """The version of a framework or runtime, without importing it; None if it is not installed."""
    for distribution in _DISTRIBUTIONS[name]:
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return None


def describe_processor(cpuinfo: Path = _CPUINFO) -> dict[str, str]:
    """Architecture, processor name and a digest of its instruction sets: code compiled for one may fail on another."""
    try:
        facts = _first_processor(cpuinfo.read_text())
    except OSError:  # no such file outside Linux
        facts = {}
    flags = " ".join(sorted(facts.get("flags", facts.get("Features", "")).split()))
    return {
        "machine": platform.machine(),
        "cpu": facts.get("model name", platform.processor() or "unknown"),
        "instructions": hashlib.sha256(flags.encode()).hexdigest()[:16],
    }


def _first_processor(text: str) -> dict[str, str]:
    lines = text.split("\n\n", 1)[0].splitlines()
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _again(folder: Path) -> str:
    return f"Compile it again: python -m ml prepare {folder.parent.name} --force"
