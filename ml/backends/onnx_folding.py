"""ONNX graphs made smaller where ONNX Runtime does not do it by itself."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

_SCALED = "_scaled"


def fold_scaling(graph: onnx.GraphProto) -> None:
    """Put ``(image − mean) · scale``, with a number for each channel, into the first convolution's weights.

    By itself it takes a fortieth of a run of Xception: three numbers at a time. Left alone where the convolution pads
    the image: what is padded would have to be the mean instead of 0.
    """
    for given in graph.input:
        found = _follow(graph, given.name, ("Sub", "Mul", "Transpose", "Conv"))
        if found is None or _pads(found[-1]):
            continue
        subtract, multiply, transpose, convolution = found
        constants = {constant.name: constant for constant in graph.initializer}
        names = (subtract.input[1], multiply.input[1], *convolution.input[1:])
        if len(names) != 4 or not constants.keys() >= set(names):
            continue
        mean, scale, weights, bias = (numpy_helper.to_array(constants[name]).astype(np.float64) for name in names)
        channels = weights.shape[1]
        if not mean.shape[-1:] == scale.shape[-1:] == (mean.size,) == (scale.size,) == (channels,):
            continue
        weights = weights * scale.reshape(1, channels, 1, 1)
        bias = bias - np.einsum("ochw,c->o", weights, mean.ravel())
        _replace(graph, convolution, {1: weights, 2: bias})
        transpose.input[0] = given.name
        graph.node.remove(subtract)
        graph.node.remove(multiply)
    _drop_unused(graph)


def _follow(graph: onnx.GraphProto, name: str, kinds: tuple[str, ...]) -> list[onnx.NodeProto] | None:
    """The nodes of these ``kinds``, each the only user of what the one before gives; None if there is another."""
    nodes = []
    for kind in kinds:
        users = [node for node in graph.node if name in node.input]
        if [user.op_type for user in users] != [kind] or users[0].input[0] != name:
            return None
        nodes += users
        name = users[0].output[0]
    return nodes


def _pads(convolution: onnx.NodeProto) -> bool:
    attributes = {attribute.name: attribute for attribute in convolution.attribute}
    automatic = attributes["auto_pad"].s not in (b"NOTSET", b"VALID") if "auto_pad" in attributes else False
    return automatic or ("pads" in attributes and any(attributes["pads"].ints))


def _replace(graph: onnx.GraphProto, node: onnx.NodeProto, inputs: dict[int, NDArray[np.float64]]) -> None:
    for place, values in inputs.items():
        name = node.input[place] + _SCALED
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), name))
        node.input[place] = name


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Constants that no node uses any more: ONNX Runtime warns of them."""
    used = {name for node in graph.node for name in node.input}
    for constant in [constant for constant in graph.initializer if constant.name not in used]:
        graph.initializer.remove(constant)
