"""Compiles a model for ONNX Runtime and this processor, compares it with its framework, and records what came out.

The work is done in a child process, ``python -m ml.models.compiling MODEL SERVED FOLDER RESULT``. Frameworks,
converters and ONNX Runtime share that process, in which no service ever runs: converters print and change global state,
and two of these libraries were seen to crash together when the interpreter ended. So the process writes its result into
a file and ends without cleaning up.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from ml.errors import ArtifactError
from ml.models import runtime
from ml.models.compiled import (
    FOLDER,
    RECORD_FILE,
    CompiledRecord,
    Origin,
    can_compile,
    check_files,
    origin_here,
    read_record,
    write_record,
)
from ml.models.golden import compare
from ml.models.registry import find
from ml.models.spec import ModelSpec
from ml.models.store import ModelStore
from storage.base import sha256_file

#: seconds; a compilation that takes longer is ended, and the model runs natively
LIMIT_S = 600
_ROOT = Path(__file__).resolve().parents[2]
#: The child is not told about threads by gunicorn's configuration. It compares what processors compute: no GPU.
_ENVIRONMENT = os.environ | {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "CUDA_VISIBLE_DEVICES": "",
    # Otherwise tf2onnx copies the graph before each of its steps: 7.6 GB for the classifier instead of 4.2.
    "TF2ONNX_CATCH_ERRORS": "false",
}
CHILD = (sys.executable, "-m", "ml.models.compiling")


def compile_model(
    store: ModelStore, spec: ModelSpec, *, force: bool = False, child: Sequence[str] = CHILD
) -> tuple[CompiledRecord, bool]:
    """Bring a fetched model's compiled files up to date. Returns the record, and whether it was made anew.

    What cannot be compiled or does not agree is recorded with its reason, and is not tried again until a package, the
    processor or the model changes, or with ``force``. ``child`` is the command of the child process. Raises
    ArtifactError if the model is not there or runs natively only, and OSError if nothing can be written.
    """
    if not can_compile(spec):
        raise ArtifactError(f"{spec.name} runs natively only: there is nothing to prepare.")
    folder, origin = store.folder(spec), origin_here(spec, store.verify(spec, sources=False).files)
    if not force and (current := _current(folder, origin)):
        return current, False
    # In the model's folder, so that what is made there only needs to be renamed.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".compiling-") as temporary:
        work = Path(temporary).resolve()  # the child runs where the application lies, so it needs whole paths
        record = _compile(spec, store.served(spec).resolve(), origin, work, child)
        _put_in_place(folder, work / FOLDER, record)
    return record, True


def _current(folder: Path, here: Origin) -> CompiledRecord | None:
    """The record, if it holds here and its files are whole."""
    try:
        record = read_record(folder)
        if record is None or record.origin.difference(here) is not None:
            return None
        check_files(folder, record.files)
    except ArtifactError:
        return None
    return record


def _compile(spec: ModelSpec, served: Path, origin: Origin, work: Path, child: Sequence[str]) -> CompiledRecord:
    target = work / FOLDER
    target.mkdir()
    try:
        differences, problem = _run_child([*child, spec.name, str(served), str(target)], work / "result.json")
    except _ChildError as error:
        differences, problem = {}, f"it could not be compiled: {error}"
    if problem is not None:
        shutil.rmtree(target)
        target.mkdir()
    files = sorted(path for path in target.rglob("*") if path.is_file())
    return CompiledRecord(
        origin=origin,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        problem=problem,
        differences=differences,
        files={path.relative_to(work).as_posix(): sha256_file(path) for path in files},
    )


def _put_in_place(folder: Path, compiled: Path, record: CompiledRecord) -> None:
    """Files are never changed where they lie: a running service has them in its memory, and keeps the old ones."""
    (folder / RECORD_FILE).unlink(missing_ok=True)
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    compiled.rename(folder / FOLDER)
    write_record(folder, record)


class _ChildError(Exception):
    """The child process failed. One line: the last that it wrote."""


def _run_child(command: Sequence[str], result: Path) -> tuple[dict[str, float], str | None]:
    """What ``compare`` found. Raises _ChildError."""
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
    except subprocess.TimeoutExpired as error:
        raise _ChildError(f"it took more than {LIMIT_S} s") from error
    if done.returncode == 0 and result.is_file():
        differences, problem = json.loads(result.read_text())
        return differences, problem
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    raise _ChildError(f"exit status {done.returncode}: {lines[-1][:200] if lines else 'it said nothing'}")


def run_as_child(arguments: Sequence[str]) -> NoReturn:
    """Fill FOLDER, write what ``compare`` found into RESULT as JSON, and end the process."""
    name, served, folder, result = arguments
    status = 0
    try:
        Path(result).write_text(json.dumps(_compile_and_compare(find(name), Path(served), Path(folder))))
    except Exception:  # noqa: BLE001 - the parent reads the last line of stderr
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _compile_and_compare(spec: ModelSpec, served: Path, folder: Path) -> tuple[dict[str, float], str | None]:
    """Compile what is ``served`` into ``folder``; return what ``compare`` does."""
    from ml.models.onnxruntime_runtime import compile_for_this_processor

    onnx = folder.with_name("converted.onnx")
    runtime.framework_of(spec).convert(spec, served, onnx)
    compile_for_this_processor(onnx, folder)
    execution = runtime.Execution(threads=1, callers=1)
    native = runtime.open_runtime(spec, served, None, execution)
    return compare(spec, native, runtime.open_runtime(spec, served, folder, execution))


if __name__ == "__main__":
    run_as_child(sys.argv[1:])
