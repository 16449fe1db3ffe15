"""Compiles models for ONNX Runtime and the processor of this machine.

``compile_model`` converts a fetched model in a child process and compares its answers with those of its framework. It
writes the compiled files and a record into the folder ``ModelStore.compiled``. The model's manifest is
valid on every machine; ``compiled`` is valid on this machine only, and can be deleted and made again. ``choose``
decides whether a model is loaded from it.

The child process is ``python -m ml.models.compiled ADDRESS SERVED FOLDER [CONVERTED] RESULT``. It imports frameworks,
converters and ONNX Runtime together, which no service should do: converters print and change global state, and two of
these libraries crashed together at the interpreter's exit. So the process writes its result into a file and exits
without cleaning up.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NoReturn

from ml.errors import ArtifactError
from ml.models.golden import compare
from ml.models.registry import find
from ml.models.runtime import RuntimeOptions, framework_of, load_runtime
from ml.models.spec import ModelSpec
from ml.models.store import COMPILED, ModelStore, check_files
from storage.base import sha256_file

_LOG = logging.getLogger(__name__)

#: the values of DERMSERVE_ENGINE: compiled if possible, always the model's own framework, always compiled
AUTO, NATIVE, ONNXRUNTIME = "auto", "native", "onnxruntime"
#: the record in the folder of compiled files
RECORD_FILE = "record.json"

#: seconds; a compilation that takes longer is stopped, and the model runs natively
LIMIT_S = 600
CHILD = (sys.executable, "-m", "ml.models.compiled")
_ROOT = Path(__file__).resolve().parents[2]
_ENVIRONMENT = os.environ | {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "CUDA_VISIBLE_DEVICES": "",  # answers are compared on the CPU
    # By default tf2onnx copies the graph before each step, and needs 7.6 GB for the classifier instead of 4.2.
    "TF2ONNX_CATCH_ERRORS": "false",
}

_CPUINFO = Path("/proc/cpuinfo")
#: framework or runtime → the packages that may install it
_DISTRIBUTIONS: Mapping[str, tuple[str, ...]] = {
    "pytorch": ("torch",),
    "tensorflow": ("tensorflow-cpu", "tensorflow"),
    ONNXRUNTIME: ("onnxruntime",),
}


#: what a compiled model depends on: "files" (name → sha256), "processor" (see describe_processor), and "versions" of
#: packages (None: not installed)
Origin = Mapping[str, Mapping[str, str | None]]


@dataclass(frozen=True)
class CompiledRecord:
    """The record of a compilation. ``problem``: why the compiled model cannot be used, or None. ``differences``: what
    was compared with the framework → the largest difference. ``files``: file beside the record → sha256."""

    origin: Origin
    problem: str | None
    differences: Mapping[str, float]
    files: Mapping[str, str]

    def summary(self) -> str:
        """One line for people."""
        if self.problem is not None:
            return f"runs natively: {self.problem}"
        runtime = f"{ONNXRUNTIME} {self.origin['versions'][ONNXRUNTIME]}"
        differences = ", ".join(f"{name} {value:.1e}" for name, value in self.differences.items() if value)
        return f"runs by {runtime}, which agrees ({differences or 'exactly'})"


def can_compile(spec: ModelSpec) -> bool:
    """Whether ONNX Runtime may run the model. Only TensorFlow can parse a tf.Example, and only LiteRT runs LiteRT."""
    return spec.format in ("torch-export", "saved-model")


def choose(store: ModelStore, spec: ModelSpec, engine: str, *, gpu: bool = False) -> Path | None:
    """The folder of the model's compiled files, which match their digests; None if the model's framework must run it.

    ``engine``: AUTO, NATIVE or ONNXRUNTIME. If the compiled files cannot be used, AUTO logs the reason and returns
    None, and ONNXRUNTIME raises ArtifactError with the reason. On a GPU every model runs natively.
    """
    if gpu or engine == NATIVE or spec.format == "litert" or (engine == AUTO and not can_compile(spec)):
        return None
    try:
        return _usable(store, spec)
    except ArtifactError as error:
        if engine != AUTO:
            raise ArtifactError(f"DERMSERVE_ENGINE={engine}: {error.message}") from error
        _LOG.warning("%s runs natively: %s", spec.name, error.message)
        return None


def _usable(store: ModelStore, spec: ModelSpec) -> Path:
    """The folder of compiled files. Raises ArtifactError, which says why they cannot be used and what to do."""
    if not can_compile(spec):
        raise ArtifactError(f"{spec.name} runs natively only. Set DERMSERVE_ENGINE=auto or native.")
    record = _current(store, spec)
    if record.problem is not None:
        raise ArtifactError(
            f"{ONNXRUNTIME} cannot run {spec.name}: {record.problem}. Set DERMSERVE_ENGINE=auto or native."
        )
    return store.compiled(spec)


def _current(store: ModelStore, spec: ModelSpec) -> CompiledRecord:
    """The record of compiled files that are up to date. Raises ArtifactError if there is none, if the machine or the
    model has changed since, or if a file is missing or altered."""
    folder, remedy = store.compiled(spec), f"Run: python -m ml prepare {spec.address}"
    record = read_record(folder)
    if record is None:
        raise ArtifactError(f"{spec.name} was not compiled on this machine. {remedy}")
    if changed := _change(record.origin, origin_here(spec, store.manifest(spec).files)):
        raise ArtifactError(f"{spec.name} was compiled for something else: {changed}. {remedy}")
    check_files(folder, record.files, remedy)
    return record


def compile_model(
    store: ModelStore, spec: ModelSpec, *, force: bool = False, child: Sequence[str] = CHILD
) -> tuple[CompiledRecord, bool]:
    """Bring a fetched model's compiled files up to date. Returns the record, and whether it is new.

    If the model cannot be compiled, or its answers differ, the record states the reason. It is then not compiled again
    until a package, the processor or the model changes, unless ``force`` is set. ``child``: the child's command.
    Raises ArtifactError if the model is not there or runs natively only, and OSError if a file cannot be written.
    """
    if not can_compile(spec):
        raise ArtifactError(f"{spec.name} runs natively only: there is nothing to prepare.")
    folder, manifest = store.compiled(spec), store.verify(spec, sources=False)
    if not force:
        with suppress(ArtifactError):
            return _current(store, spec), False
    # The temporary folder is on the same file system, so that the result can be renamed.
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".compiling-") as temporary:
        work = Path(temporary).resolve() / COMPILED  # absolute, because the child runs in another folder
        work.mkdir()
        command = [*child, spec.address, str(store.served(spec).resolve()), str(work)]
        if not force and (converted := _converted(store, spec, manifest.files)) is not None:
            command.append(str(converted.resolve()))
        differences, problem = _run_child(command, work.with_name("result.json"))
        if problem is not None:
            shutil.rmtree(work)
            work.mkdir()
        origin = origin_here(spec, manifest.files)
        record = CompiledRecord(origin, problem, differences, {path.name: sha256_file(path) for path in work.iterdir()})
        (work / RECORD_FILE).write_text(json.dumps(asdict(record), indent=1) + "\n")
        # The files are replaced, not overwritten, because a running service has the old ones mapped into its memory.
        shutil.rmtree(folder, ignore_errors=True)
        work.rename(folder)
    return record, True


def _converted(store: ModelStore, spec: ModelSpec, files: Mapping[str, str]) -> Path | None:
    """The folder of files that the same packages compiled of the same model for another processor. The converted model
    in it can be used here, which saves most of the time. None if there is no such folder."""
    folder = store.compiled(spec)
    record, here = read_record(folder), origin_here(spec, files)
    if record is None or record.problem is not None or {**record.origin, "processor": here["processor"]} != here:
        return None
    try:
        check_files(folder, record.files, "")
    except ArtifactError:
        return None
    return folder


def read_record(folder: Path) -> CompiledRecord | None:
    """The record in a folder of compiled files; None if it is missing or cannot be read."""
    try:
        return CompiledRecord(**json.loads((folder / RECORD_FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def origin_here(spec: ModelSpec, files: Mapping[str, str]) -> Origin:
    """The origin of a model that is compiled now on this machine. ``files``: those of the manifest."""
    served = {
        name: digest for name, digest in files.items() if name == spec.served or name.startswith(f"{spec.served}/")
    }
    versions = {name: installed_version(name) for name in (spec.framework, ONNXRUNTIME)}
    return {"files": served, "processor": describe_processor(), "versions": versions}


def _change(origin: Origin, here: Origin) -> str | None:
    """A short description of the first difference between ``origin`` and ``here``; None if they are equal."""
    then, now = ({**one["files"], **one["processor"], **one["versions"]} for one in (origin, here))
    for name in {**now, **then}:
        if then.get(name) != now.get(name):
            return f"{name} was {then.get(name)} and is {now.get(name)}"
    return None


def installed_version(name: str) -> str | None:
    """The version of a framework or runtime; None if it is not installed. Does not import it."""
    for distribution in _DISTRIBUTIONS[name]:
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return None


def describe_processor(cpuinfo: Path = _CPUINFO) -> dict[str, str]:
    """Architecture, processor name and a digest of its instruction sets. Code compiled for one may fail on another."""
    try:
        lines = cpuinfo.read_text().split("\n\n", 1)[0].splitlines()
    except OSError:  # only Linux has this file
        lines = []
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = " ".join(sorted(facts.get("flags", facts.get("Features", "")).split()))
    return {
        "machine": platform.machine(),
        "cpu": facts.get("model name", platform.processor() or "unknown"),
        "instructions": hashlib.sha256(flags.encode()).hexdigest()[:16],
    }


def _run_child(command: Sequence[str], result: Path) -> tuple[dict[str, float], str | None]:
    """The result of ``compare`` in the child process: the differences, and the problem or None."""
    try:
        done = subprocess.run(
            [*command, str(result)],
            cwd=_ROOT,
            env=_ENVIRONMENT,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {}, f"it could not be compiled: it took more than {LIMIT_S} s"
    if done.returncode == 0 and result.is_file():
        differences, problem = json.loads(result.read_text())
        return differences, problem
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    cause = lines[-1][:200] if lines else "no error was printed"
    return {}, f"it could not be compiled: exit status {done.returncode}: {cause}"


def run_as_child(arguments: Sequence[str]) -> NoReturn:
    """Compile into FOLDER, write the result of ``compare`` into RESULT as JSON, and end the process."""
    address, served, folder, *converted, result = arguments
    status = 0
    try:
        before = Path(converted[0]) if converted else None
        Path(result).write_text(json.dumps(_compile_and_compare(find(address), Path(served), Path(folder), before)))
    except Exception:  # noqa: BLE001 - the parent reads the last line of stderr
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _compile_and_compare(
    spec: ModelSpec, served: Path, folder: Path, converted: Path | None
) -> tuple[dict[str, float], str | None]:
    """``converted``: a folder that was compiled for another processor."""
    from ml.models.onnxruntime_runtime import PLAIN_FILE, compile_for_this_processor

    if converted is None:
        onnx = folder.with_name("converted.onnx")
        framework_of(spec).convert(spec, served, onnx)
    else:
        onnx = converted / PLAIN_FILE
    compile_for_this_processor(onnx, folder)
    options = RuntimeOptions(threads=1, callers=1)
    native = load_runtime(spec, served, None, options)
    return compare(spec, native, load_runtime(spec, served, folder, options))


if __name__ == "__main__":
    run_as_child(sys.argv[1:])
