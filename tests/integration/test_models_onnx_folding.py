"""A network that scales its photo itself: the scaling goes into its first convolution, and the answers stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

MEAN = np.array([150.0, 110.0, 90.0], np.float32)
DEVIATION = np.array([60.0, 50.0, 45.0], np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=(3, 3, 3, 5)).astype(np.float32)
BIAS = np.random.default_rng(2).normal(size=5).astype(np.float32)
PHOTOS = np.random.default_rng(3).integers(0, 256, (2, 9, 9, 3)).astype(np.float32)


@pytest.mark.parametrize(("padding", "folded"), [("VALID", True), ("SAME", False)])
def test_scaling_is_folded_where_nothing_is_padded(padding: str, folded: bool, tmp_path: Path) -> None:
    from ml.backends.tensorflow_import import tf  # isort: skip
    import onnx

    from ml.backends.onnxruntime_import import ort
    from ml.backends.tensorflow_to_onnx import convert

    module = tf.Module()
    module.serve = tf.function(
        lambda image: {"features": tf.nn.conv2d((image - MEAN) / DEVIATION, WEIGHTS, 2, padding) + BIAS},
        input_signature=[tf.TensorSpec((None, 9, 9, 3), tf.float32, name="image")],
    )
    tf.saved_model.save(module, str(tmp_path / "model"), signatures={"serving_default": module.serve})
    convert(tmp_path / "model", tmp_path / "model.onnx", inputs=("image",))

    graph = onnx.load(tmp_path / "model.onnx").graph
    assert ("Sub" in {node.op_type for node in graph.node}) is not folded
    assert {constant.name for constant in graph.initializer} <= {name for node in graph.node for name in node.input}
    session = ort.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"image": PHOTOS})
    assert found == pytest.approx(module.serve(PHOTOS)["features"].numpy(), abs=1e-4)
