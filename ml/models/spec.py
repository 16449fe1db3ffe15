"""The description of a model as one frozen record: source, digests, licence, inputs and outputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Source:
    """Where a model's files come from. ``uri``: for storage.open_storage. ``files``: path below it → sha256."""

    uri: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class PreprocessSpec:
    """How a photo (H, W, 3), 0–255, becomes the model's input.

    ``size``: (height, width). ``fit``: stretch the whole photo to this size, or crop its centre. ``mean``, ``std``: of
    each channel; values become (x − mean) / std.
    """

    size: tuple[int, int]
    fit: Literal["stretch", "center_crop"] = "stretch"
    interpolation: Literal["area", "bilinear", "bicubic"] = "area"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    layout: Literal["NHWC", "NCHW"] = "NHWC"


@dataclass(frozen=True)
class LesionClass:
    """One class of a lesion classifier. ``malignant``: whether it counts towards the malignant probability."""

    code: str
    name: str
    icd_10: str
    malignant: bool = False


@dataclass(frozen=True)
class Calibration:
    """The temperature scaling of a classifier, and its sensitivity on the labelled photos that it was fitted to.

    The logarithms of the model's output are divided by ``temperature``. The set has ``photos`` photos with
    ``malignant`` malignant lesions, of which ``found`` have a calibrated malignant probability of ``threshold`` (0–1)
    or more. ``interval``: the 95% interval of the sensitivity, 0–1.
    """

    temperature: float
    threshold: float
    photos: int
    malignant: int
    found: int
    interval: tuple[float, float]

    @property
    def sensitivity(self) -> float:
        """The share of malignant lesions at the threshold or above, 0–1."""
        return self.found / self.malignant

    @property
    def in_words(self) -> str:
        """The sensitivity as a part of a sentence."""
        low, high = (f"{limit * 100:.0f}" for limit in self.interval)
        return (
            f"of {self.malignant} malignant lesions in {self.photos} test photos, {self.found} (95% interval "
            f"{low}–{high}%) got a malignant probability of {self.threshold:.0%} or more, and "
            f"{self.malignant - self.found} got less"
        )

    @classmethod
    def read(cls, path: Path, of: str) -> Calibration:
        """The calibration in a JSON file that ``research.lesion --write`` wrote. ``of``: "default" or "thorough"."""
        facts = json.loads(path.read_text(encoding="utf-8"))
        sensitivity = facts[of]["sensitivity"]
        low, high = sensitivity["interval"]
        return cls(
            temperature=facts[of]["temperature"]["value"],
            threshold=sensitivity["threshold"],
            photos=facts["fitted"]["photos"],
            malignant=sensitivity["malignant"],
            found=sensitivity["found"],
            interval=(low, high),
        )


@dataclass(frozen=True)
class LesionOutput:
    """The meaning of a lesion classifier's output.

    ``classes``: in the order of the output. ``definition``: which classes count as malignant. ``caveat``: a warning for
    every answer. ``limits``: what the training data lack. Without a ``calibration`` the raw output is reported, without
    a sensitivity.
    ``thorough``: the same for the mean over mirror images, which is calibrated separately; None if it is not.
    """

    classes: tuple[LesionClass, ...]
    definition: str
    caveat: str
    limits: str
    calibration: Calibration | None = None
    thorough: LesionOutput | None = None

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(one.code for one in self.classes)

    @property
    def malignant(self) -> tuple[str, ...]:
        """The codes of the malignant classes."""
        return tuple(one.code for one in self.classes if one.malignant)


@dataclass(frozen=True)
class ModelSpec:
    """One model.

    - ``input``, ``output``: descriptions for people. ``output_dim``: the number of dimensions or classes.
    - ``served``: the file or folder that the ``framework`` (see ml.models.runtime) loads. ``format``: its kind, one of
      torch-export, saved-model, saved-model-example (each photo is a PNG in a tf.Example) and litert.
    - ``input_names``: the images, then "metadata" if the model takes facts about the person. ``output_name``: needed if
      the format names outputs.
    - ``source``: None if the licence forbids redistribution. The user then names a source when fetching, which must
      have the files in ``needed``.
    - ``recipe``: the function that makes the served files from the source files; None if the source files are served.
    - ``card``: path of the model card, or None.
    - ``home``: the folder of a trained encoder (see ml.models.trained); None for a model of the registry. It does not
      change the output, so it is not part of the fingerprint.
    """

    name: str
    version: str
    task: Literal["encoder", "classifier", "faces"]
    framework: str
    format: str
    licence: str
    input: str
    output: str
    output_dim: int
    served: str
    preprocess: PreprocessSpec
    input_names: tuple[str, ...] = ("images",)
    output_name: str = "output"
    source: Source | None = None
    needed: tuple[str, ...] = ()
    recipe: str | None = None
    lesion: LesionOutput | None = None
    card: str | None = None
    home: Path | None = None

    @property
    def address(self) -> str:
        """What ``ml.models.registry.find`` and the commands find this model by: its name, or its folder."""
        return self.name if self.home is None else str(self.home)

    def fingerprint(self, digests: Mapping[str, str]) -> str:
        """A digest of everything that determines the model's output. ``digests``: source file → sha256.

        An index records its encoder's fingerprint, so that vectors of different encoders are never compared.
        """
        facts = {
            "name": self.name,
            "version": self.version,
            "recipe": self.recipe,
            "files": sorted(digests.values()),
            "preprocess": asdict(self.preprocess),
            "output_dim": self.output_dim,
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def place(self, source_name: str) -> str:
        """The path of a source file in the model's folder. It is below ``source`` if a recipe converts it."""
        if self.recipe is not None:
            return f"source/{PurePosixPath(source_name).name}"
        if self.format.startswith("saved-model"):
            return f"{self.served}/{source_name}"
        return PurePosixPath(source_name).name

    def read_card(self) -> str:
        """The model card in Markdown. Without a document it is made from this record."""
        document = self.home / "card.md" if self.home is not None else _ROOT / self.card if self.card else None
        if document is not None and document.is_file():
            return document.read_text(encoding="utf-8")
        facts = {"task": self.task, "licence": self.licence, "input": self.input, "output": self.output}
        lines = [f"# {self.name} {self.version}", "", "| | |", "|---|---|"]
        return "\n".join([*lines, *(f"| {name} | {fact} |" for name, fact in facts.items()), ""])
