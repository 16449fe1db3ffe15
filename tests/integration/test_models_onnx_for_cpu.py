"""Networks of TensorFlow, rewritten while they become ONNX: smaller and better to compute, with the same answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.models.registry import SKLESION

Function = Callable[[Any, Any], Any]
MEAN = np.array([150.0, 110.0, 90.0], np.float32)
DEVIATION = np.array([60.0, 50.0, 45.0], np.float32)
PHOTOS = np.random.default_rng(3).integers(0, 256, (2, 12, 12, 3)).astype(np.float32)


def weights(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(sum(shape)).normal(0, 0.1, shape).astype(np.float32)


def converted(function: Function, folder: Path) -> Any:
    """``function`` of TensorFlow and an image as an ONNX graph, which gives what it gives."""
    from ml.models.tensorflow_runtime import convert, tf  # isort: skip
    import onnx

    from ml.models.onnxruntime_runtime import ort

    module = tf.Module()
    module.serve = tf.function(
        lambda image: {"features": function(tf, image)},
        input_signature=[tf.TensorSpec((None, 12, 12, 3), tf.float32, name="image")],
    )
    tf.saved_model.save(module, str(folder / "model"), signatures={"serving_default": module.serve})
    convert(replace(SKLESION, input_names=("image",)), folder / "model", folder / "model.onnx")
    session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"image": PHOTOS})
    assert found == pytest.approx(module.serve(PHOTOS)["features"].numpy(), abs=1e-3)
    graph = onnx.load(folder / "model.onnx").graph
    assert {constant.name for constant in graph.initializer} <= {name for node in graph.node for name in node.input}
    return graph


def channels(graph: Any) -> set[int]:
    """How many the convolutions give."""
    given = {node.input[1] for node in graph.node if node.op_type == "Conv"}
    return {constant.dims[0] for constant in graph.initializer if constant.name in given}


@pytest.mark.parametrize(("padding", "folded"), [("VALID", True), ("SAME", False)])
def test_scaling_goes_into_the_first_convolution_where_nothing_is_padded(
    padding: str, folded: bool, tmp_path: Path
) -> None:
    def scaled(tf: Any, image: Any) -> Any:
        return tf.nn.conv2d((image - MEAN) / DEVIATION, weights(3, 3, 3, 5), 2, padding) + weights(5)

    graph = converted(scaled, tmp_path)
    assert ("Sub" in {node.op_type for node in graph.node}) is not folded


def separable(tf: Any, image: Any) -> Any:
    """20 channels, as Xception has 728: convolved, each by itself too, pooled, and added up."""
    first = tf.nn.conv2d(image, weights(3, 3, 3, 20), 1, "SAME") + weights(20)
    each = tf.nn.depthwise_conv2d(tf.nn.relu(first), weights(3, 3, 20, 1), (1, 1, 1, 1), "SAME")
    mixed = tf.nn.conv2d(each, weights(1, 1, 20, 20), 1, "SAME") + weights(20)
    return tf.nn.max_pool2d(mixed, 2, 2, "SAME") + tf.nn.conv2d(first, weights(1, 1, 20, 20), 2, "SAME")


def test_channels_are_padded_to_whole_blocks(tmp_path: Path) -> None:
    def network(tf: Any, image: Any) -> Any:
        return tf.nn.conv2d(tf.nn.relu(separable(tf, image)), weights(1, 1, 20, 4), 1, "SAME")

    assert channels(converted(network, tmp_path)) == {32, 4}


@pytest.mark.parametrize("use", ["the answer", "means"])
def test_channels_that_more_than_convolutions_use_are_left_alone(use: str, tmp_path: Path) -> None:
    def network(tf: Any, image: Any) -> Any:
        found = separable(tf, image)
        return found if use == "the answer" else tf.reduce_mean(found, (1, 2))

    assert channels(converted(network, tmp_path)) == {20}
