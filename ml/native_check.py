"""Loads and runs models natively in a process of their own, where the service itself runs them compiled.

PyTorch and TensorFlow would stay in a worker's memory for good once they were imported there: in a child process they
are gone when it ends. ``python -m ml.native_check MODELS_DIR RESULT NAME…`` is that process.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.deadline import Deadline
from ml.models.loading import load_classifier, load_encoder
from ml.models.registry import find
from ml.portrait import portrait
from ml.values import Patient

_LOG = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parents[1]
_STAGE = "native models"


@dataclass(frozen=True)
class NativeRun:
    """``version`` of the framework; ``seconds`` to import, load and run; ``output`` for the portrait: a vector, or
    probabilities. ``problem`` says what went wrong, and then the rest is empty."""

    version: str | None = None
    seconds: float | None = None
    output: list[float] | None = None
    problem: str | None = None

    @property
    def answer(self) -> NDArray[np.float32]:
        return np.asarray(self.output, dtype=np.float32)


class NativeCheck:
    """Runs models natively, all that are asked for in one child process. Safe to use from several threads."""

    def __init__(self, models_dir: Path) -> None:
        self._models_dir = models_dir
        self._lock = threading.Lock()
        self._done: dict[str, NativeRun] = {}

    def __call__(self, names: Sequence[str], deadline: Deadline) -> Mapping[str, NativeRun]:
        """A run for each of ``names``. What has gone well is kept and not run again.

        Raises DeadlineExceededError where the runs do not end in time; the child process is ended then.
        """
        with self._lock:
            missing = [name for name in names if name not in self._done]
            found = self._run_child(missing, deadline) if missing else {}
            self._done |= {name: run for name, run in found.items() if run.problem is None}
            return {name: self._done.get(name) or found[name] for name in names}

    def _run_child(self, names: list[str], deadline: Deadline) -> dict[str, NativeRun]:
        with tempfile.TemporaryDirectory(prefix="dermserve-native-") as folder:
            result = Path(folder, "result.json")
            command = [sys.executable, "-m", "ml.native_check"]
            problem = _run([*command, str(self._models_dir.resolve()), str(result), *names], deadline)
            if problem is not None:
                return {name: NativeRun(problem=problem) for name in names}
            return {name: NativeRun(**facts) for name, facts in json.loads(result.read_text()).items()}


def _run(command: list[str], deadline: Deadline) -> str | None:
    """What went wrong, in a few words; None if nothing did. Raises DeadlineExceededError."""
    deadline.check(_STAGE)
    try:
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, timeout=deadline.remaining(), check=False)
    except subprocess.TimeoutExpired:
        raise deadline.exceeded(_STAGE) from None
    if done.returncode == 0:
        return None
    _LOG.error("the native run ended with status %d: %s", done.returncode, done.stderr[-1000:].decode(errors="replace"))
    return f"its process ended with status {done.returncode}; the log has the cause"


def main(arguments: list[str]) -> int:
    """The child: writes one NativeRun for each name. One model's failure stops no other."""
    models_dir, result, *names = arguments
    runs = {name: asdict(_try(Path(models_dir), name)) for name in names}
    Path(result).write_text(json.dumps(runs))
    return 0


def _try(models_dir: Path, name: str) -> NativeRun:
    started = time.perf_counter()
    try:
        version, output = _load_and_run(models_dir, name)
    except Exception as error:  # noqa: BLE001 - whatever it was, it is what is asked for
        return NativeRun(problem=f"{type(error).__name__}: {str(error)[:200]}")
    return NativeRun(version, time.perf_counter() - started, output.tolist())


def _load_and_run(models_dir: Path, name: str) -> tuple[str, NDArray[np.float32]]:
    photo = portrait()
    if find(name).task == "encoder":
        encoder = load_encoder(models_dir, name, threads=1)
        return encoder.runtime.version, encoder.embed([photo])[0]
    classifier = load_classifier(models_dir, name, threads=1)
    return classifier.runtime.version, classifier.probabilities([photo], Patient())[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
