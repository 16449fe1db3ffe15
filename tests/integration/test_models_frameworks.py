"""The frameworks on files that are no model, or another model than their name says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.errors import ArtifactError, ModelError
from ml.models.runtime import run


def test_torch_names_a_file_that_is_no_program(tmp_path: Path) -> None:
    from ml.models.torch_runtime import TorchRuntime

    path = tmp_path / "encoder.pt2"
    for content in (b"", b"no program", b"PK\x03\x04" + bytes(100)):
        path.write_bytes(content)
        with pytest.raises(ArtifactError, match=r"encoder\.pt2 cannot be loaded by PyTorch"):
            TorchRuntime(path, threads=1)


def test_torch_names_a_file_that_is_missing(tmp_path: Path) -> None:
    from ml.models.torch_runtime import TorchRuntime

    with pytest.raises(ArtifactError, match=r"none\.pt2"):
        TorchRuntime(tmp_path / "none.pt2", threads=1)


@pytest.fixture(scope="module")
def doubling(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A program and a SavedModel that double what they are given."""
    import torch

    from ml.models.tensorflow_runtime import tf

    class Doubling(torch.nn.Module):
        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return values @ (2 * torch.eye(3))

    folder = tmp_path_factory.mktemp("doubling")
    program = torch.export.export(
        Doubling(), (torch.zeros(2, 3),), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=8)},)
    )
    torch.export.save(program, folder / "doubling.pt2")
    module = tf.Module()
    module.double = tf.function(
        lambda values: {"doubled": values @ (2 * tf.eye(3))},
        input_signature=[tf.TensorSpec((None, 3), tf.float32, name="values")],
    )
    tf.saved_model.save(module, str(folder / "doubling"), signatures={"serving_default": module.double})
    return folder / "doubling.pt2", folder / "doubling"


VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_torch_numpy_in_numpy_out(doubling: tuple[Path, Path]) -> None:
    from ml.models.torch_runtime import TorchRuntime

    model = TorchRuntime(doubling[0], threads=1)
    (found,) = model.run(VALUES)
    assert (type(found), found.dtype) == (np.ndarray, np.float32)
    assert np.array_equal(found, VALUES * 2)
    assert model.name == "pytorch"
    with pytest.raises(ModelError, match="doubling failed on this photo"):
        run("doubling", model, np.zeros((2, 4), np.float32))


def test_tensorflow_numpy_in_numpy_out(doubling: tuple[Path, Path]) -> None:
    from ml.models.tensorflow_runtime import SavedModel

    model = SavedModel(doubling[1], inputs=("values",), output="doubled")
    (found,) = model.run(VALUES)
    assert (type(found), found.dtype) == (np.ndarray, np.float32)
    assert np.array_equal(found, VALUES * 2)
    assert model.name == "tensorflow"
    with pytest.raises(ModelError, match="doubling failed on this photo"):
        run("doubling", model, np.zeros((2, 4), np.float32))


@pytest.mark.parametrize(
    ("inputs", "output"), [(("image",), "doubled"), (("values", "more"), "doubled"), (("values",), "x")]
)
def test_tensorflow_refuses_another_signature(
    doubling: tuple[Path, Path], inputs: tuple[str, ...], output: str
) -> None:
    from ml.models.tensorflow_runtime import SavedModel

    with pytest.raises(ArtifactError, match=r"takes \['values'\] and gives \['doubled'\]") as caught:
        SavedModel(doubling[1], inputs=inputs, output=output)
    assert str(doubling[1]) in caught.value.message


def test_tensorflow_names_a_folder_that_is_no_model(tmp_path: Path) -> None:
    from ml.models.tensorflow_runtime import SavedModel

    (tmp_path / "saved_model.pb").write_bytes(b"no model")
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(ArtifactError, match="cannot be loaded by TensorFlow") as caught:
            SavedModel(path, inputs=("values",), output="doubled")
        assert str(path) in caught.value.message
