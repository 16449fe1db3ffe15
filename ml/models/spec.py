"""What a model is, as one frozen record: its source, digests and licence, what it takes and what it gives."""

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
    """Where the files of a model come from: ``uri`` for storage.open_storage, and file below it → sha256."""

    uri: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class PreprocessSpec:
    """RGB uint8 → the model's input.

    ``size`` is (height, width). ``fit``: stretch the whole photo to it, or crop the centre. Values become
    (x − mean) / std for each channel.
    """

    size: tuple[int, int]
    fit: Literal["stretch", "center_crop"] = "stretch"
    interpolation: Literal["area", "bilinear", "bicubic"] = "area"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    layout: Literal["NHWC", "NCHW"] = "NHWC"


@dataclass(frozen=True)
class LesionClass:
    """One class of a lesion classifier. ``malignant``: it counts towards the malignant probability."""

    code: str
    name: str
    icd_10: str
    malignant: bool = False


@dataclass(frozen=True)
class Calibration:
    """A fit to labelled photos, and what was found on the same photos.

    The logarithms of the model's output are divided by ``temperature``. Of ``malignant`` lesions among ``photos``,
    ``found`` got a calibrated malignant probability of ``threshold`` or more; ``interval`` is the 95% interval of their
    share.
    """

    temperature: float
    threshold: float
    photos: int
    malignant: int
    found: int
    interval: tuple[float, float]

    @property
    def sensitivity(self) -> float:
        """The share of malignant lesions at or above the threshold, 0–1."""
        return self.found / self.malignant

    @property
    def in_words(self) -> str:
        """The same as a part of a sentence."""
        low, high = (f"{limit * 100:.0f}" for limit in self.interval)
        return (
            f"of {self.malignant} malignant lesions in {self.photos} test photos, {self.found} (95% interval "
            f"{low}–{high}%) got a malignant probability of {self.threshold:.0%} or more, and "
            f"{self.malignant - self.found} got less"
        )

    @classmethod
    def read(cls, path: Path) -> Calibration:
        """From a JSON file that ``research.lesion --write`` made."""
        facts = json.loads(path.read_text(encoding="utf-8"))
        low, high = facts["sensitivity"]["interval"]
        return cls(
            temperature=facts["temperature"]["value"],
            threshold=facts["sensitivity"]["threshold"],
            photos=facts["fitted"]["photos"],
            malignant=facts["sensitivity"]["malignant"],
            found=facts["sensitivity"]["found"],
            interval=(low, high),
        )


@dataclass(frozen=True)
class LesionOutput:
    """What the output of a lesion classifier means. ``classes`` are in its order. ``definition`` says what counts as
    malignant, ``caveat`` what every reader of an answer must know, and ``limits`` what the classifier was made from.
    Without a ``calibration`` the raw output is reported, and no sensitivity."""

    classes: tuple[LesionClass, ...]
    definition: str
    caveat: str
    limits: str
    calibration: Calibration | None = None

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(one.code for one in self.classes)

    @property
    def malignant(self) -> tuple[str, ...]:
        """The codes of the malignant classes."""
        return tuple(one.code for one in self.classes if one.malignant)


@dataclass(frozen=True)
class ModelSpec:
    """One model. ``input`` and ``output`` describe both for people; ``output_dim`` counts dimensions or classes.

    ``served`` names the file or folder that the ``framework`` (see ml.models.runtime) loads, and ``format`` its kind:
    torch-export, saved-model, saved-model-example (each photo a PNG in a tf.Example) or litert.
    ``input_names`` are in the order in which inputs are given: the images, and "metadata" for a model that takes facts
    about the person. ``output_name`` is needed where the format names outputs.
    ``source`` is None for a model whose licence forbids us to name a copy: its user names one when fetching, with the
    files in ``needed``. ``recipe`` names the step that makes the served files from the source files (None: these are
    served). ``card`` is a document with what was measured, if somebody has written one.
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

    def fingerprint(self, digests: Mapping[str, str]) -> str:
        """Digest of everything that decides what the model answers. ``digests``: source file → sha256.

        An index records its encoder's, so that vectors of different encoders are never compared.
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
        """Where a source file is kept in the model's folder: in ``source`` if a recipe makes others from it."""
        if self.recipe is not None:
            return f"source/{PurePosixPath(source_name).name}"
        if self.format.startswith("saved-model"):
            return f"{self.served}/{source_name}"
        return PurePosixPath(source_name).name

    def read_card(self) -> str:
        """The model card in Markdown: the document, or else what this record says."""
        if self.card is not None and (_ROOT / self.card).is_file():
            return (_ROOT / self.card).read_text(encoding="utf-8")
        facts = {"task": self.task, "licence": self.licence, "input": self.input, "output": self.output}
        lines = [f"# {self.name} {self.version}", "", "| | |", "|---|---|"]
        return "\n".join([*lines, *(f"| {name} | {fact} |" for name, fact in facts.items()), ""])
