"""Runs SavedModels with TensorFlow, makes them from Keras files, and converts them to ONNX.

The only importer of TensorFlow.
"""

from __future__ import annotations

import shutil
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.errors import ArtifactError
from ml.models.patient import metadata_vector
from ml.models.runtime import Array, Output, RuntimeOptions
from ml.models.spec import ModelSpec
from ml.values import RGB, Patient

# torch's builds for GPUs install Triton, which crashes the process if it is loaded after TensorFlow, but not before it
# (seen with torch 2.13.0 and TensorFlow 2.21.0; both contain a copy of LLVM).
if find_spec("triton") is not None:
    import_module("triton")

import tensorflow as tf

if TYPE_CHECKING:
    import onnx

_SIGNATURE = "serving_default"
#: the version of ONNX's operators; both tf2onnx and ONNX Runtime support it
_OPSET = 17


class SavedModel:
    """A SavedModel. ``inputs``: the names of its signature's inputs, in the order of ``run``'s arguments. ``output``:
    the name of its output. Raises ArtifactError if it cannot be loaded or has another signature."""

    name = "tensorflow"
    version = str(tf.__version__)

    def __init__(self, path: Path, *, inputs: tuple[str, ...], output: str) -> None:
        self._inputs, self._output = inputs, output
        try:
            self._model = tf.saved_model.load(str(path))
            self._signature = self._model.signatures[_SIGNATURE]
        except Exception as error:
            raise ArtifactError(f"{path} cannot be loaded by TensorFlow {self.version}. Fetch it again.") from error
        self._check_signature(path)

    def _check_signature(self, path: Path) -> None:
        expected = set(self._inputs)
        found = set(self._signature.structured_input_signature[1])
        if found != expected or self._output not in self._signature.structured_outputs:
            raise ArtifactError(
                f"{path} takes {sorted(found)} and gives {sorted(self._signature.structured_outputs)}; "
                f"{sorted(expected)} → '{self._output}' was expected. This is not the model that its name says."
            )

    def run(self, *inputs: Array) -> list[Output]:
        return self._call(*(tf.constant(array) for array in inputs))

    def _call(self, *tensors: tf.Tensor) -> list[Output]:
        outputs = self._signature(**dict(zip(self._inputs, tensors, strict=True)))
        return [np.asarray(outputs[self._output].numpy(), dtype=np.float32)]


class ExampleModel(SavedModel):
    """A SavedModel that takes each photo as a serialized tf.Example with a PNG (``image/encoded``)."""

    def run(self, *inputs: Array) -> list[Output]:
        (photos,) = inputs
        return self._call(tf.constant([_example(photo) for photo in photos]))


def _example(photo: NDArray[np.generic]) -> bytes:
    """``photo`` (h, w, 3), 0–255, as a PNG in a serialized tf.Example."""
    bgr = cv2.cvtColor(np.rint(photo.astype(np.float32)).astype(np.uint8), cv2.COLOR_RGB2BGR)
    png = cv2.imencode(".png", bgr)[1].tobytes()
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[png]))
    example = tf.train.Example(features=tf.train.Features(feature={"image/encoded": feature}))
    return bytes(example.SerializeToString())


def load(spec: ModelSpec, served: Path, options: RuntimeOptions) -> SavedModel:
    """See ``ml.models.runtime.Framework``."""
    if options.sizes_pools:
        _size_pools(options)
    kind = ExampleModel if spec.format == "saved-model-example" else SavedModel
    return kind(served, inputs=spec.input_names, output=spec.output_name)


def _size_pools(options: RuntimeOptions) -> None:
    """Size TensorFlow's thread pools. Must be called before its first operation."""
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    # With one inter-op thread, parallel callers would wait for each other.
    tf.config.threading.set_inter_op_parallelism_threads(max(2, options.callers))
    if not options.gpu:
        tf.config.set_visible_devices([], "GPU")


def export(spec: ModelSpec, folder: Path, image: RGB) -> Output:
    """Write the Keras file in ``folder``/source as a SavedModel with the spec's inputs and output.

    Returns the Keras model's probabilities (classes,) for ``image``, resized by ``tf.image.resize`` as by its authors.
    """
    (path,) = (folder / "source").glob("*.keras")
    model = tf.keras.models.load_model(path, compile=False, safe_mode=True)
    inputs = [tf.image.resize(tf.constant(image)[None], spec.preprocess.size)]
    if "metadata" in spec.input_names:
        inputs.append(tf.constant(metadata_vector(Patient())[None]))
    reference = model(inputs, training=False).numpy()[0]

    # A module with only this signature, without gradients and the data that Keras saves.
    module = tf.Module()
    module.model = model
    module.serve = tf.function(
        lambda **named: {spec.output_name: model([named[name] for name in spec.input_names], training=False)},
    )
    signature = {
        name: tf.TensorSpec((None, *tensor.shape[1:]), tf.float32, name=name)
        for name, tensor in zip(spec.input_names, inputs, strict=True)
    }
    target = folder / spec.served
    tf.saved_model.save(module, str(target), {_SIGNATURE: module.serve.get_concrete_function(**signature)})
    shutil.rmtree(target / "assets", ignore_errors=True)
    return np.asarray(reference, dtype=np.float32)


def convert(spec: ModelSpec, served: Path, target: Path) -> None:
    """See ``ml.models.runtime.Framework``."""
    import onnx
    import tf2onnx
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    model = tf.saved_model.load(str(served))
    frozen = convert_variables_to_constants_v2(model.signatures[_SIGNATURE])
    converted, _ = tf2onnx.convert.from_graph_def(
        frozen.graph.as_graph_def(),
        input_names=[tensor.name for tensor in frozen.inputs],
        output_names=[tensor.name for tensor in frozen.outputs],
        opset=_OPSET,
    )
    # TensorFlow names the first output of the node "image" "image:0".
    _rename_inputs(converted.graph, {f"{name}:0": name for name in spec.input_names})
    onnx.checker.check_model(converted)
    onnx.save(converted, str(target))


def _rename_inputs(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    for given in graph.input:
        given.name = names[given.name]
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)
