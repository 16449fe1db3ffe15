"""TensorFlow SavedModels → ONNX."""

from __future__ import annotations

from pathlib import Path

from ml.models.tensorflow_import import tf  # isort: skip - before anything else imports TensorFlow
import onnx
import tf2onnx
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from ml.models.onnx_for_cpu import fold_scaling, pad_channels

#: tf2onnx knows it, and ONNX Runtime and OpenVINO both run it
_OPSET = 17


def convert(source: Path, target: Path, *, inputs: tuple[str, ...]) -> None:
    """Write the SavedModel ``source`` as the ONNX file ``target``. ``inputs`` are the signature's names, and become
    the file's."""
    model = tf.saved_model.load(str(source))
    frozen = convert_variables_to_constants_v2(model.signatures["serving_default"])
    converted, _ = tf2onnx.convert.from_graph_def(
        frozen.graph.as_graph_def(),
        input_names=[tensor.name for tensor in frozen.inputs],
        output_names=[tensor.name for tensor in frozen.outputs],
        opset=_OPSET,
    )
    # TensorFlow calls the only output of the node "image" "image:0".
    _rename_inputs(converted.graph, {f"{name}:0": name for name in inputs})
    fold_scaling(converted.graph)
    pad_channels(converted.graph)
    onnx.checker.check_model(converted)
    onnx.save(converted, str(target))


def _rename_inputs(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    for given in graph.input:
        given.name = names[given.name]
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)
