"""A trained encoder in a folder: ``spec.json``, ``manifest.json``, the served file, ``card.md`` and reports.

``python -m scin train`` writes such a folder. The folder can be copied; wherever a model's name is taken, its path is
taken too. Its ``spec.json`` is data from elsewhere: it chooses among known recipes, and names no file outside the
folder. The served file is a program of the framework: load it only from someone whom you trust.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ml.errors import ArtifactError
from ml.models.spec import ModelSpec, PreprocessSpec

SPEC_FILE, CARD_FILE, REPORT_FILE, SEEN_FILE = "spec.json", "card.md", "training.json", "seen.json"
#: the part of the card that the report of an index repeats
HELD_OUT_HEADING = "## Held-out cases before and after"
SERVED_FILE = "encoder.pt2"

_TRAIN = "python -m scin train --source DATASET --out FOLDER"
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")]
_Text = Annotated[str, Field(max_length=1000)]
_Side = Annotated[int, Field(ge=8, le=1024)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Scale = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Preprocess(_Strict):
    size: tuple[_Side, _Side]
    fit: Literal["stretch", "center_crop"]
    interpolation: Literal["area", "bilinear", "bicubic"]
    mean: tuple[_Finite, _Finite, _Finite]
    std: tuple[_Scale, _Scale, _Scale]
    layout: Literal["NHWC", "NCHW"]


class _Spec(_Strict):
    """What ``spec.json`` may say."""

    name: _Name
    version: _Name
    task: Literal["encoder"]
    framework: Literal["pytorch"]
    format: Literal["torch-export"]
    served: Literal["encoder.pt2"]
    recipe: str
    licence: _Text
    input: _Text
    output: _Text
    output_dim: Annotated[int, Field(ge=1, le=8192)]
    preprocess: _Preprocess


def is_folder(name: str) -> bool:
    """Whether ``name`` is the path of a trained encoder's folder, not the name of a known model."""
    return "/" in name or "\\" in name or name in (".", "..") or (Path(name) / SPEC_FILE).is_file()


def read_spec(folder: Path, known: Mapping[str, ModelSpec]) -> ModelSpec:
    """The encoder in ``folder``. ``known``: the registered models, whose recipes it may use and whose names it may not.

    Raises ArtifactError if the folder holds no encoder that can be used.
    """
    path = folder / SPEC_FILE
    try:
        stated = _Spec.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtifactError(_why_missing(folder)) from error
    except ValidationError as error:
        raise ArtifactError(f"{path} is damaged: {_first_problem(error)}. {remedy(folder)}") from error
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.") from error
    if stated.name in known:
        raise ArtifactError(f"{path} has the name of another model, {stated.name}. Train it again under another name.")
    if stated.recipe not in {one.recipe for one in known.values() if one.framework == stated.framework}:
        raise ArtifactError(
            f"{path} states a network that this version does not know. Update the service, or train it again: {_TRAIN}"
        )
    facts = stated.model_dump() | {"preprocess": PreprocessSpec(**stated.preprocess.model_dump())}
    return ModelSpec(**facts, home=folder.resolve())


def write_spec(spec: ModelSpec, folder: Path) -> None:
    """Write ``spec.json`` into ``folder``. Raises ValidationError (pydantic) if a reader would refuse it."""
    facts = {name: value for name, value in asdict(spec).items() if name in _Spec.model_fields}
    stated = _Spec.model_validate(facts)
    (folder / SPEC_FILE).write_text(stated.model_dump_json(indent=1) + "\n", encoding="utf-8")


def remedy(folder: Path) -> str:
    """What to do about a damaged folder."""
    return f"Copy the whole folder {folder.name} again, or train the encoder again: {_TRAIN}"


def _why_missing(folder: Path) -> str:
    if not folder.is_dir():
        return f"The folder {folder} does not exist. Give the folder of a trained encoder, or a model's name."
    if (reason := refusal(folder)) is not None:
        return f"The encoder in {folder} was not adopted: {reason} Use the encoder that it was trained from."
    return f"{folder} has no {SPEC_FILE}: it is not the folder of a trained encoder. Train one: {_TRAIN}"


def refusal(folder: Path) -> str | None:
    """The sentence in the training report that says why no encoder was adopted; None if there is no such report."""
    try:
        report = json.loads((folder / REPORT_FILE).read_text(encoding="utf-8"))
        return None if report["adopted"] else str(report["verdict"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else first["msg"].splitlines()[0]
