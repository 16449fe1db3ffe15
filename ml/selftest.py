"""The self-test: runs one real photo through every part of the service and reports the result of each part.

If a model is served compiled, its own framework runs it too, in a child process. A worker that imported PyTorch or
TensorFlow would keep their memory. The child process is ``python -m ml.selftest MODELS_DIR RESULT NAME…``.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from ml.deadline import Deadline
from ml.imaging.decode import decode
from ml.models.classifier import LesionClassifier
from ml.models.compiled import ONNXRUNTIME
from ml.models.encoder import Encoder
from ml.models.faces import FaceDetector
from ml.models.golden import agrees
from ml.models.loading import Models, load_classifier, load_encoder
from ml.models.registry import MEDIAPIPE_FACE, find
from ml.models.runtime import Output
from ml.models.spec import ModelSpec
from ml.skin.frame import Frame, Subject
from ml.skin.measure import measure_skin
from ml.skin.quality import assess
from ml.values import RGB, Patient, Searcher

log = logging.getLogger(__name__)
_ROOT = Path(__file__).resolve().parents[1]
_STAGE = "native models"


@dataclass(frozen=True)
class CapabilityPart:
    """The result of one part. ``ms`` is its time in milliseconds. ``reason`` says why it failed or describes it."""

    name: str
    ok: bool
    version: str | None
    model: str | None
    ms: float | None
    reason: str | None = None


@dataclass(frozen=True)
class NativeRun:
    """One run of a model in its own framework.

    ``version``: the framework's. ``seconds``: time to import, load and run. ``output``: the embedding or the
    probabilities (output_dim,) of the portrait. ``problem``: what went wrong, or None; the other fields are then None.
    """

    version: str | None = None
    seconds: float | None = None
    output: list[float] | None = None
    problem: str | None = None


#: names of models → the native run of each
NativeRuns = Callable[[Sequence[str]], Mapping[str, NativeRun]]


class PartError(Exception):
    """A part gave a wrong answer. The message says why."""


def portrait() -> RGB:
    """scikit-image's public-domain portrait (512, 512, 3), decoded from a JPEG, so that the decoder is tested too."""
    bgr = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)
    return decode(cv2.imencode(".jpg", bgr)[1].tobytes()).rgb


def run(models: Models, searcher: Searcher, native: NativeRuns = lambda names: {}) -> tuple[CapabilityPart, ...]:
    """Test every part on the portrait. A part that fails does not stop the others.

    ``native`` runs models in their own frameworks. It gets the names of the models that are served compiled.
    """
    photo, index, answers = portrait(), searcher.info, dict[str, Output]()
    served: tuple[Encoder | LesionClassifier, ...] = (models.encoder, models.classifier)
    tested = [_test_model(model, photo, answers) for model in served]
    runs = native([model.spec.address for model in served if model.runtime.name == ONNXRUNTIME])
    parts = [
        _with_framework(part, model, answers, runs.get(model.spec.address))
        for part, model in zip(tested, served, strict=True)
    ]
    vector = answers.get(models.encoder.spec.name)
    libraries = f"opencv {cv2.__version__}, scikit-image {version('scikit-image')}"
    parts += [
        _test(
            "faiss", searcher.version, f"{index.images} photos × {index.dimension}", lambda: _search(searcher, vector)
        ),
        _test("scin_index", index.built_at, index.name, lambda: _describe(searcher)),
        _test("image_processing", libraries, None, lambda: _measure(photo)),
    ]
    if (faces := models.faces) is not None:
        runtime = f"{faces.runtime.name} {faces.runtime.version}"
        parts.append(_test("faces", runtime, _title(MEDIAPIPE_FACE), lambda: _find_face(faces, photo)))
    return tuple(parts)


def _test(name: str, part_version: str, model: str | None, part: Callable[[], str | None]) -> CapabilityPart:
    started = time.perf_counter()
    try:
        ok, reason = True, part()
    except PartError as error:
        ok, reason = False, str(error)
    except Exception:
        log.exception("the self-test of %s failed", name)
        ok, reason = False, "it raised an error; the log has the cause"
    return CapabilityPart(name, ok, part_version, model, (time.perf_counter() - started) * 1e3, reason)


def _test_model(model: Encoder | LesionClassifier, photo: RGB, answers: dict[str, Output]) -> CapabilityPart:
    """The part has the name of the model's framework. Stores the model's answer in ``answers``."""

    def part() -> None:
        answers[model.spec.name] = answer = _answer(model, photo)
        sums = isinstance(model, Encoder) or abs(float(answer.sum()) - 1.0) < 1e-3
        _require(sums, "the probabilities do not sum to 1")

    return _test(model.spec.framework, model.runtime.version, _title(model.spec), part)


def _with_framework(
    part: CapabilityPart, model: Encoder | LesionClassifier, answers: dict[str, Output], run: NativeRun | None
) -> CapabilityPart:
    """``part``, updated with the native ``run`` of the model; unchanged if there was none."""
    if run is None:
        return part
    spec = model.spec
    by = f"served by {model.runtime.name} {model.runtime.version}"
    if not part.ok:
        return replace(part, version=run.version, reason=f"{by}: {part.reason}")
    if run.output is None:
        return replace(part, ok=False, version=None, reason=f"{by}; {spec.framework} could not run it: {run.problem}")
    if not agrees(spec, answers[spec.name], np.array(run.output, np.float32)):
        return replace(part, ok=False, version=run.version, reason=f"{by}; {spec.framework} gives another answer")
    reason = f"{by}; {spec.framework} loaded and ran it in a process of its own ({run.seconds:.1f} s) and agrees"
    return replace(part, version=run.version, reason=reason)


def _answer(model: Encoder | LesionClassifier, photo: RGB) -> Output:
    answers = model.embed([photo]) if isinstance(model, Encoder) else model.predict([photo], Patient())
    return np.asarray(answers[0])


def _title(spec: ModelSpec) -> str:
    return f"{spec.name} {spec.version}"


def _search(searcher: Searcher, vector: Output | None) -> None:
    if vector is None:
        raise PartError("not tried: there is no embedding to search with")
    found = [case.similarity for case in searcher.search(vector[None], 5).cases]
    _require(len(found) > 0, "the search found nothing")
    _require(found == sorted(found, reverse=True), "the cases are not in order of similarity")


def _describe(searcher: Searcher) -> str:
    info = searcher.info
    _require(info.cases > 0, "the index is empty")
    kind = "synthetic demonstration cases" if info.synthetic else "cases"
    return f"{info.cases} {kind} of {info.dataset}"


def _measure(photo: RGB) -> None:
    frame = Frame(photo)
    quality, skin = assess(frame), measure_skin(Subject(frame))
    _require(quality.usable and skin.tone is not None and skin.tone.group is not None, "no skin tone was measured")
    _require(bool(np.isfinite([m.value for m in skin.measurements if m.value is not None]).all()), "not a number")


def _find_face(faces: FaceDetector, photo: RGB) -> None:
    found = len(faces.detect(photo))
    _require(found == 1, f"{found} faces were found in a portrait of one")


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise PartError(problem)


class NativeCheck:
    """Runs models in their own frameworks, all in one child process. Safe to use from several threads."""

    def __init__(self, models_dir: Path) -> None:
        self._models_dir = models_dir
        self._lock = threading.Lock()
        self._done: dict[str, NativeRun] = {}

    def __call__(self, names: Sequence[str], deadline: Deadline) -> Mapping[str, NativeRun]:
        """A run for each of ``names``. Successful runs are cached.

        If the child process does not finish in time, it is stopped and DeadlineExceededError is raised.
        """
        with self._lock:
            missing = [name for name in names if name not in self._done]
            found = self._run_child(missing, deadline) if missing else {}
            self._done |= {name: run for name, run in found.items() if run.problem is None}
            return {name: self._done.get(name) or found[name] for name in names}

    def _run_child(self, names: list[str], deadline: Deadline) -> dict[str, NativeRun]:
        with tempfile.TemporaryDirectory(prefix="dermserve-native-") as folder:
            result = Path(folder, "result.json")
            command = [sys.executable, "-m", "ml.selftest", str(self._models_dir.resolve()), str(result)]
            problem = _run_command([*command, *names], deadline)
            if problem is not None:
                return {name: NativeRun(problem=problem) for name in names}
            return {name: NativeRun(**facts) for name, facts in json.loads(result.read_text()).items()}


def _run_command(command: list[str], deadline: Deadline) -> str | None:
    """Run the command. Returns a short description of the failure, or None. Raises DeadlineExceededError."""
    deadline.check(_STAGE)
    try:
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, timeout=deadline.remaining(), check=False)
    except subprocess.TimeoutExpired:
        raise deadline.exceeded(_STAGE) from None
    if done.returncode == 0:
        return None
    log.error("the native run ended with status %d: %s", done.returncode, done.stderr[-1000:].decode(errors="replace"))
    return f"its process ended with status {done.returncode}; the log has the cause"


def main(arguments: list[str]) -> int:
    """Entry point of the child. Writes a NativeRun for each name. A model that fails does not stop the others."""
    models_dir, result, *names = arguments
    Path(result).write_text(json.dumps({name: asdict(_run_native(Path(models_dir), name)) for name in names}))
    return 0


def _run_native(models_dir: Path, name: str) -> NativeRun:
    started = time.perf_counter()
    load = load_encoder if find(name).task == "encoder" else load_classifier
    try:
        model: Encoder | LesionClassifier = load(models_dir, name, threads=1)
        output = _answer(model, portrait()).tolist()
    except Exception as error:  # noqa: BLE001 - the caller reports whatever went wrong
        return NativeRun(problem=f"{type(error).__name__}: {str(error)[:200]}")
    return NativeRun(model.runtime.version, time.perf_counter() - started, output)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
