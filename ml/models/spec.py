"""What a model is, as frozen facts: where it comes from, its digests, its licence, what goes in and what comes out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

TASKS = ("encoder", "classifier", "faces")
FORMATS = ("torch-export", "saved-model", "saved-model-example", "litert")
FITS = ("stretch", "center_crop")
INTERPOLATIONS = ("area", "bilinear", "bicubic")


@dataclass(frozen=True)
class Source:
    """Where the files of a model come from: ``uri`` for storage.open_storage, and file → sha256 below it."""

    uri: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class PreprocessSpec:
    """RGB uint8 → the model's input.

    ``size`` is (height, width); ``fit`` says whether the whole photo is stretched to it or its centre is cropped;
    values become (x − mean) / std per channel; ``layout`` is NHWC or NCHW.
    """

    size: tuple[int, int]
    fit: str = "stretch"
    interpolation: str = "area"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    layout: str = "NHWC"

    def __post_init__(self) -> None:
        _require(self.fit in FITS, f"fit must be one of {FITS}, not {self.fit!r}")
        _require(self.interpolation in INTERPOLATIONS, f"unknown interpolation {self.interpolation!r}")
        _require(self.layout in ("NHWC", "NCHW"), f"layout must be NHWC or NCHW, not {self.layout!r}")
        _require(all(s > 0 for s in self.std), "std must be positive")


@dataclass(frozen=True)
class LesionClass:
    """One class of a lesion classifier. ``malignant``: it counts towards the malignant probability."""

    code: str
    name: str
    icd_10: str
    malignant: bool = False


@dataclass(frozen=True)
class Calibration:
    """What was fitted to labelled photos, and found on the same.

    The logarithms of the model's output are divided by ``temperature``. Of ``malignant`` lesions among ``photos``,
    ``found`` got a calibrated malignant probability of ``threshold`` or more; ``interval`` is the share's, 95%.
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
        """What was found, for a sentence."""
        low, high = (f"{limit * 100:.0f}" for limit in self.interval)
        return (
            f"of {self.malignant} malignant lesions in {self.photos} test photos, {self.found} (95% interval "
            f"{low}–{high}%) got a malignant probability of {self.threshold:.0%} or more, and "
            f"{self.malignant - self.found} got less"
        )

    @classmethod
    def read(cls, path: Path) -> Calibration:
        """From a JSON file as ``research.lesion --write`` makes it."""
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
    """What the output of a lesion classifier means. ``classes`` are in its order; ``definition`` says what counts as
    malignant, and ``caveat`` what each reader of an answer must know. Without ``calibration`` the output is taken as it
    is, and no sensitivity is stated."""

    classes: tuple[LesionClass, ...]
    definition: str
    caveat: str
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
    """One model. ``output_dim`` counts embedding dimensions or classes; ``served`` names what the framework loads, and
    ``format`` its kind.

    ``input_names``: the inputs in the order in which they are given. ``output_name``: the output, where the format
    names it. ``input`` and ``output`` say for people what they are.
    ``source`` is None for a model whose licence forbids us to name a copy: its user names one when fetching.
    ``recipe`` names the step that turns source files into the served one (None: they are served as they are).
    ``lesion`` is a lesion classifier's.
    """

    name: str
    version: str
    task: str
    framework: str
    format: str
    licence: str
    card: str
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

    def __post_init__(self) -> None:
        _require(self.task in TASKS, f"task must be one of {TASKS}, not {self.task!r}")
        _require(self.format in FORMATS, f"format must be one of {FORMATS}, not {self.format!r}")
        _require(self.output_dim > 0, "output_dim must be positive")
        classes = len(self.lesion.classes) if self.lesion else 0
        _require(self.task != "classifier" or classes == self.output_dim, "one class per output")

    def fingerprint(self, digests: Mapping[str, str]) -> str:
        """Digest of everything that decides what the model answers; ``digests`` are its source files' sha256.

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
        """Where a source file lies in the model's folder: recipes keep their raw material apart."""
        if self.recipe is not None:
            return f"source/{PurePosixPath(source_name).name}"
        if self.format.startswith("saved-model"):
            return f"{self.served}/{source_name}"
        return PurePosixPath(source_name).name


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
