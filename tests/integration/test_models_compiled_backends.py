"""The compiled engines on small models of every step of their way: converted, compiled, loaded, run, and refused."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.engines.choice import Choice
from ml.engines.opening import Execution, open_backend
from ml.errors import ArtifactError, BackendError
from ml.models.registry import EFFICIENTNET_LITE0

ENGINES = ("onnxruntime", "openvino")
WIDTH = 96
WEIGHTS = np.random.default_rng(5).normal(size=(WIDTH, WIDTH)).astype(np.float32)
VALUES = np.random.default_rng(6).normal(size=(8, WIDTH)).astype(np.float32)


def compile_for(engine: str, onnx: Path, target: Path) -> Path:
    target.mkdir()
    if engine == "onnxruntime":
        from ml.models.onnxruntime_runtime import compile_for_this_host

        compile_for_this_host(onnx, target)
    else:
        from ml.models.openvino_backend import convert

        convert(onnx, target)
    return target


def load(engine: str, folder: Path, **execution: Any) -> Any:
    """By way of the encoder's spec, whose one input is called "images"."""
    return open_backend(EFFICIENTNET_LITE0, folder, Choice(engine, folder), Execution(**execution))


@pytest.fixture(scope="module")
def from_torch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file of a torch program that multiplies with WEIGHTS."""
    import torch

    from ml.models.torch_to_onnx import convert

    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = torch.nn.Parameter(torch.from_numpy(WEIGHTS))

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return values @ self.weights

    folder = tmp_path_factory.mktemp("from-torch")
    batch = torch.export.Dim("batch", min=1, max=8)
    program = torch.export.export(Layer(), (torch.zeros(2, WIDTH),), dynamic_shapes=({0: batch},))
    torch.export.save(program, folder / "layer.pt2")
    convert(folder / "layer.pt2", folder / "layer.onnx", inputs=("images",))
    return folder / "layer.onnx"


@pytest.fixture(scope="module")
def from_tensorflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file of a SavedModel with two inputs, of which the second is added after the first is multiplied."""
    from ml.models.tensorflow_import import tf  # isort: skip
    from ml.models.tensorflow_to_onnx import convert

    folder = tmp_path_factory.mktemp("from-tensorflow")
    module = tf.Module()
    module.weights = tf.Variable(WEIGHTS)
    module.serve = tf.function(
        lambda image, metadata: {"probabilities": image @ module.weights + metadata},
        input_signature=[
            tf.TensorSpec((None, WIDTH), tf.float32, name="image"),
            tf.TensorSpec((None, WIDTH), tf.float32, name="metadata"),
        ],
    )
    tf.saved_model.save(module, str(folder / "layer"), signatures={"serving_default": module.serve})
    convert(folder / "layer", folder / "layer.onnx", inputs=("image", "metadata"))
    return folder / "layer.onnx"


@pytest.fixture(scope="module", params=ENGINES)
def compiled(request: pytest.FixtureRequest, from_torch: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("compiled") / request.param
    return request.param, compile_for(request.param, from_torch, folder)


@pytest.mark.parametrize("mmap", [True, False])
def test_numpy_in_numpy_out_with_every_batch_size(compiled: tuple[str, Path], mmap: bool) -> None:
    backend = load(*compiled, mmap=mmap)
    assert backend.framework == compiled[0]
    assert re.match(r"\d+\.\d+", backend.version)
    for size in (1, 2, 4, 8):
        found = backend.run(VALUES[:size])
        assert (type(found), found.dtype, found.shape) == (np.ndarray, np.float32, (size, WIDTH))
        assert np.abs(found - VALUES[:size] @ WEIGHTS).max() < 1e-4


def test_an_answer_is_left_alone_by_later_runs(compiled: tuple[str, Path]) -> None:
    backend = load(*compiled)
    first = backend.run(VALUES[:1])
    kept = first.copy()
    backend.run(VALUES[1:2])
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("callers", [1, 3])
def test_many_threads_get_their_own_answers(compiled: tuple[str, Path], callers: int) -> None:
    backend = load(*compiled, callers=callers)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda n: backend.run(VALUES[n % 8 : n % 8 + 1]), range(120)))
    for n, answer in enumerate(found):
        assert np.abs(answer - VALUES[n % 8 : n % 8 + 1] @ WEIGHTS).max() < 1e-4


def test_a_shape_that_does_not_fit_is_an_error_and_the_next_run_works(compiled: tuple[str, Path]) -> None:
    backend = load(*compiled, callers=1)
    for _ in range(2):
        with pytest.raises(BackendError, match="failed on this photo"):
            backend.run(np.zeros((1, WIDTH + 1), np.float32))
    assert backend.run(VALUES[:1]).shape == (1, WIDTH)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_folder_that_holds_no_model_is_named(engine: str, tmp_path: Path) -> None:
    for name in ("model.onnx", "model.data", "plain.onnx", "model.xml", "model.bin"):
        (tmp_path / name).write_bytes(b"no model")
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(ArtifactError, match=r"cannot be loaded by O.*Prepare it again") as caught:
            load(engine, folder)
        assert str(folder) in caught.value.message


@pytest.mark.parametrize("engine", ENGINES)
def test_two_inputs_go_where_they_belong_and_other_names_are_refused(
    engine: str, from_tensorflow: Path, tmp_path: Path
) -> None:
    from ml.models.registry import SKLESION

    folder = compile_for(engine, from_tensorflow, tmp_path / engine)
    backend = open_backend(SKLESION, folder, Choice(engine, folder), Execution())
    found = backend.run(VALUES[:2], VALUES[2:4])
    assert np.abs(found - (VALUES[:2] @ WEIGHTS + VALUES[2:4])).max() < 1e-4
    with pytest.raises(ArtifactError, match=r"takes \['image', 'metadata'\]; \['images'\] was expected"):
        load(engine, folder)


# memory


def smaps_of(path: Path) -> dict[str, int]:
    """kB of this process's mappings of the file; nothing where it is not mapped."""
    found: dict[str, int] = {}
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            inside = line.endswith(str(path))
        elif inside and (value := re.match(r"(\w+): +(\d+) kB", line)):
            found[value[1]] = found.get(value[1], 0) + int(value[2])
    return found


def test_mapped_weights_are_the_files_own_pages_and_copied_ones_are_not(from_torch: Path, tmp_path: Path) -> None:
    folder = compile_for("onnxruntime", from_torch, tmp_path / "onnxruntime")
    copied = load("onnxruntime", folder, mmap=False)
    copied.run(VALUES)
    assert smaps_of(folder / "model.data") == {}
    mapped = load("onnxruntime", folder, mmap=True)
    mapped.run(VALUES)
    pages = smaps_of(folder / "model.data")
    assert pages["Rss"] * 1024 >= WEIGHTS.nbytes
    assert pages["Anonymous"] == 0


# nothing is told to anyone

QUIET: dict[str, Callable[[Path], str]] = {
    "onnxruntime": lambda onnx: (
        "from ml.models.onnxruntime_runtime import open_session, session_options\n"
        f"open_session(__import__('pathlib').Path({str(onnx)!r}), session_options(1))\n"
    ),
    "openvino": lambda onnx: (
        "import sys\nfrom ml.models.openvino_import import openvino\n"
        f"core = openvino.Core()\ncore.compile_model(core.read_model({str(onnx)!r}), 'CPU')\n"
        "assert not any(name.startswith('openvino_telemetry.') for name in sys.modules)\n"
    ),
}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_leaves_no_identifier_of_this_machine_behind(engine: str, from_torch: Path, tmp_path: Path) -> None:
    """Both libraries by themselves write one into the home folder when they are loaded, and report home with it."""
    plain = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("XDG_")}
    environment = plain | {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    program = QUIET[engine](from_torch)
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert list(tmp_path.rglob("*")) == []
