"""``torch.export`` programs → ONNX."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from ml.models.runtime import BATCH_SIZES


def convert(source: Path, target: Path, *, inputs: tuple[str, ...]) -> None:
    """Write the program ``source`` as the ONNX file ``target``. Its one input is called as ``inputs`` says."""
    program = torch.export.load(source)
    example = program.example_inputs[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch 2.13 warns of its own coming changes; the result is compared later
        exported = torch.onnx.export(
            program.module(),
            tuple(example),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=BATCH_SIZES[-1])},),
            input_names=list(inputs),
            output_names=["output"],
            verbose=False,
        )
    if exported is None:
        raise RuntimeError("torch gave no ONNX program")
    exported.save(str(target))
