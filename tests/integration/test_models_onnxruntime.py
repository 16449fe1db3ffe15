"""Small models on every step of their way to ONNX Runtime: converted, compiled, loaded, run, and refused."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.errors import ArtifactError, ModelError
from ml.models.registry import EFFICIENTNET_LITE0, SKLESION
from ml.models.runtime import RuntimeOptions, load_runtime, run

WIDTH = 96
WEIGHTS = np.random.default_rng(5).normal(size=(WIDTH, WIDTH)).astype(np.float32)
VALUES = np.random.default_rng(6).normal(size=(8, WIDTH)).astype(np.float32)


def compiled_in(target: Path, onnx: Path) -> Path:
    from ml.models.onnxruntime_runtime import compile_for_this_processor

    target.mkdir()
    compile_for_this_processor(onnx, target)
    return target


def load(folder: Path, **options: Any) -> Any:
    """By way of the encoder's spec, whose one input is called "images"."""
    return load_runtime(EFFICIENTNET_LITE0, folder, folder, RuntimeOptions(**options))


@pytest.fixture(scope="module")
def from_torch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file of a torch program that multiplies with WEIGHTS."""
    import torch

    from ml.models.torch_runtime import convert

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
    convert(EFFICIENTNET_LITE0, folder / "layer.pt2", folder / "layer.onnx")
    return folder / "layer.onnx"


@pytest.fixture(scope="module")
def from_tensorflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file of a SavedModel with two inputs, of which the second is added after the first is multiplied."""
    from ml.models.tensorflow_runtime import convert, tf

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
    convert(SKLESION, folder / "layer", folder / "layer.onnx")
    return folder / "layer.onnx"


@pytest.fixture(scope="module")
def compiled(from_torch: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled_in(tmp_path_factory.mktemp("compiled") / "layer", from_torch)


@pytest.mark.parametrize("mmap", [True, False])
def test_numpy_in_numpy_out(compiled: Path, mmap: bool) -> None:
    runtime = load(compiled, mmap=mmap)
    assert runtime.name == "onnxruntime"
    assert re.match(r"\d+\.\d+", runtime.version)
    for size in (1, 2, 8):
        (found,) = runtime.run(VALUES[:size])
        assert (type(found), found.dtype, found.shape) == (np.ndarray, np.float32, (size, WIDTH))
        assert np.abs(found - VALUES[:size] @ WEIGHTS).max() < 1e-4


def test_an_answer_is_left_alone_by_later_runs(compiled: Path) -> None:
    runtime = load(compiled)
    (first,) = runtime.run(VALUES[:1])
    kept = first.copy()
    runtime.run(VALUES[1:2])
    assert np.array_equal(first, kept)


def test_many_threads_get_their_own_answers(compiled: Path) -> None:
    runtime = load(compiled)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda n: runtime.run(VALUES[n % 8 : n % 8 + 1])[0], range(120)))
    for n, answer in enumerate(found):
        assert np.abs(answer - VALUES[n % 8 : n % 8 + 1] @ WEIGHTS).max() < 1e-4


def test_a_shape_that_does_not_fit_is_an_error_and_the_next_run_works(compiled: Path) -> None:
    runtime = load(compiled)
    for _ in range(2):
        with pytest.raises(ModelError, match="failed on this photo"):
            run("layer", runtime, np.zeros((1, WIDTH + 1), np.float32))
    assert runtime.run(VALUES[:1])[0].shape == (1, WIDTH)


def test_a_folder_that_holds_no_model_is_named(tmp_path: Path) -> None:
    for name in ("model.onnx", "model.data", "plain.onnx"):
        (tmp_path / name).write_bytes(b"no model")
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(ArtifactError, match=r"cannot be loaded by ONNX Runtime.*Prepare it again") as caught:
            load(folder)
        assert str(folder) in caught.value.message


def test_two_inputs_go_where_they_belong_and_other_names_are_refused(from_tensorflow: Path, tmp_path: Path) -> None:
    folder = compiled_in(tmp_path / "layer", from_tensorflow)
    runtime = load_runtime(SKLESION, folder, folder, RuntimeOptions())
    (found,) = runtime.run(VALUES[:2], VALUES[2:4])
    assert np.abs(found - (VALUES[:2] @ WEIGHTS + VALUES[2:4])).max() < 1e-4
    with pytest.raises(ArtifactError, match=r"takes \['image', 'metadata'\]; \['images'\] was expected"):
        load(folder)


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
    folder = compiled_in(tmp_path / "layer", from_torch)
    copied = load(folder, mmap=False)
    copied.run(VALUES)
    assert smaps_of(folder / "model.data") == {}
    mapped = load(folder, mmap=True)
    mapped.run(VALUES)
    pages = smaps_of(folder / "model.data")
    assert pages["Rss"] * 1024 >= WEIGHTS.nbytes
    assert pages["Anonymous"] == 0


# nothing is reported to anyone

QUIET = """
import sys
from pathlib import Path
from ml.models.onnxruntime_runtime import open_session, session_options
open_session(Path(sys.argv[1]), session_options(1))
"""


def test_it_leaves_no_identifier_of_this_machine_behind(from_torch: Path, tmp_path: Path) -> None:
    """By itself the library writes one into the home folder when it is loaded, and reports to its maker with it."""
    plain = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("XDG_")}
    environment = plain | {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", QUIET, str(from_torch)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert list(tmp_path.rglob("*")) == []
