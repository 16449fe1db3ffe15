"""What preparing a model found: which engines agree with the native one, how fast each is here, and which is chosen.

The record stands beside the model's manifest and not in it: the manifest says what was fetched and holds on every
machine, the record says what was made of that on this one, and can be thrown away and made again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ml.engines.host import describe_host, installed_version
from ml.errors import ArtifactError
from ml.models.spec import ModelSpec
from storage.base import sha256_file

NATIVE = "native"
#: compiled engines; where two are about equally fast, the earlier is chosen
ENGINES = ("onnxruntime", "openvino")
#: below a model's folder
RECORD_FILE = "engines.json"
FOLDER = "engines"
_FORMAT = 1


@dataclass(frozen=True)
class EngineResult:
    """One engine's trial against the native one, both in one process, taking turns.

    ``ms_per_photo`` and ``native_ms_per_photo``: batch size → median milliseconds of a run, divided by its size.
    ``differences`` names what was compared → the largest difference found. ``problem`` says why the engine cannot be
    used, None if it can. ``files``: path below the model's folder → sha256.
    """

    version: str
    problem: str | None
    files: Mapping[str, str] = field(default_factory=dict)
    differences: Mapping[str, float] = field(default_factory=dict)
    ms_per_photo: Mapping[int, float] = field(default_factory=dict)
    native_ms_per_photo: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class EnginesRecord:
    """Everything that was found for one model on one machine. ``source``: the served files' sha256 that were compiled;
    ``framework_version``: of the native engine; ``threads``: intra-op threads of the trials."""

    source: Mapping[str, str]
    host: Mapping[str, str]
    framework_version: str
    threads: int
    made_at: str
    results: Mapping[str, EngineResult]
    choice: str
    format: int = _FORMAT

    def summary(self) -> str:
        """One line for people: what is chosen and why."""
        found = [f"{name} {_verdict(result)}" for name, result in self.results.items()]
        return "; ".join([f"runs by {self.choice}" if self.choice != NATIVE else "runs natively", *found])


def read_record(folder: Path) -> EnginesRecord | None:
    """The record in a model's folder; None if there is none. Raises ArtifactError if it cannot be read."""
    path = folder / RECORD_FILE
    try:
        facts = json.loads(path.read_text())
        if facts["format"] != _FORMAT:
            return None
        results = {name: result_from_json(found) for name, found in facts.pop("results").items()}
        return EnginesRecord(results=results, **facts)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtifactError(f"{path} is damaged. Make it again: python -m ml prepare --force") from error


def write_record(folder: Path, record: EnginesRecord) -> None:
    """Whole or not at all."""
    temporary = folder / f".{RECORD_FILE}"
    temporary.write_text(json.dumps(asdict(record), indent=1) + "\n")
    temporary.replace(folder / RECORD_FILE)


def why_stale(record: EnginesRecord, engine: str, spec: ModelSpec, source: Mapping[str, str]) -> str | None:
    """Why what ``record`` says of ``engine`` does not hold here and now, in a few words; None if it does.

    ``source``: the served files' sha256 as the model's manifest has them.
    """
    result = record.results[engine]
    found = installed_version(engine)
    framework = installed_version(spec.framework)
    if found is None:
        return f"{engine} is not installed"
    if record.source != source:
        return "it was made from other files"
    if record.host != describe_host():
        return f"it was made on another processor ({record.host.get('cpu', 'unknown')})"
    if result.version != found:
        return f"it was made with {engine} {result.version}, and {found} is installed"
    if record.framework_version != framework:
        return f"it was compared with {spec.framework} {record.framework_version}, and {framework} is installed"
    return None


def served_digests(spec: ModelSpec, files: Mapping[str, str]) -> dict[str, str]:
    """Of a manifest's ``files``, those that the native engine loads."""
    return {name: digest for name, digest in files.items() if name == spec.served or name.startswith(f"{spec.served}/")}


def check_files(folder: Path, files: Mapping[str, str]) -> None:
    """Raises ArtifactError naming the first compiled file that is missing or differs from its digest."""
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            raise ArtifactError(f"{path} is missing. {prepare_again(folder)}")
        if sha256_file(path) != expected:
            raise ArtifactError(f"{path} does not match its sha256 {expected[:12]}…. {prepare_again(folder)}")


def prepare_again(folder: Path) -> str:
    return f"Prepare it again: python -m ml prepare {folder.parent.name} --force"


def _verdict(result: EngineResult) -> str:
    if result.problem is not None:
        return f"cannot be used: {result.problem}"
    alone, native = result.ms_per_photo[1], result.native_ms_per_photo[1]
    return f"{result.version} agrees, {alone:.1f} ms a photo against {native:.1f}"


def result_from_json(facts: dict[str, Any]) -> EngineResult:
    """JSON knows no numbers as names. Raises KeyError or TypeError if these are no result's facts."""
    for name in ("ms_per_photo", "native_ms_per_photo"):
        facts[name] = {int(size): float(ms) for size, ms in facts[name].items()}
    return EngineResult(**facts)
