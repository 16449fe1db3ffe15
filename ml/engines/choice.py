"""Which engine runs a model: as asked for, or the one that the record names."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ml.engines.host import installed_version
from ml.engines.record import (
    ENGINES,
    FOLDER,
    NATIVE,
    EngineResult,
    EnginesRecord,
    check_files,
    read_record,
    served_digests,
    why_stale,
)
from ml.errors import ArtifactError
from ml.models.spec import ModelSpec
from ml.models.store import ModelStore

_LOG = logging.getLogger(__name__)

#: let the record decide
AUTO = "auto"
#: runtimes of models that can be compiled; a tf.Example is parsed by TensorFlow alone
COMPILABLE = ("torch-export", "saved-model")
#: A compiled engine is chosen unless it takes more than this many times the native time: it spares each worker the
#: framework's memory and its start, which weigh more than a few milliseconds, or than noise while it was timed.
_NATIVE_MUST_WIN_BY = 1.25
#: of two compiled engines the preferred one is chosen unless it takes more than this many times the other's time
_PREFERRED_MAY_LOSE_BY = 1.15


@dataclass(frozen=True)
class Choice:
    """``engine`` is "native" or one of ENGINES; ``folder`` holds its compiled files (None for native).

    ``ms_per_photo``: batch size → milliseconds for each photo as measured on this host; empty if they were not.
    """

    engine: str
    folder: Path | None = None
    ms_per_photo: Mapping[int, float] = field(default_factory=dict)


def choose(store: ModelStore, spec: ModelSpec, wanted: str, *, gpu: bool = False) -> Choice:
    """The engine of one model; compiled files have been compared with their digests.

    ``wanted``: "auto", "native" or one of ENGINES. In "auto" what cannot be used is told in one log line, and the
    model runs natively. An engine that was asked for by name is used or refused: raises ArtifactError, in one line.
    On a GPU everything runs natively.
    """
    if gpu or wanted == NATIVE or spec.runtime == "litert":
        return Choice(NATIVE, ms_per_photo=ms_per_photo(store, spec, NATIVE))
    try:
        return _recorded(store, spec, None if wanted == AUTO else wanted)
    except ArtifactError as error:
        if wanted != AUTO:
            raise ArtifactError(f"DERMSERVE_ENGINE={wanted}: {error.message}") from error
        _LOG.warning("%s runs natively: %s", spec.name, error.message)
        return Choice(NATIVE)


def ms_per_photo(store: ModelStore, spec: ModelSpec, engine: str) -> Mapping[int, float]:
    """Batch size → milliseconds for each photo, as measured on this host for ``engine`` ("native" or one of ENGINES).

    Empty if nothing was measured, or not on this processor with these packages.
    """
    try:
        record = read_record(store.folder(spec))
        source = served_digests(spec, store.manifest(spec).files)
    except ArtifactError:
        return {}
    if record is None:
        return {}
    for name, result in record.results.items():
        if engine in (name, NATIVE) and why_stale(record, name, spec, source) is None:
            return result.native_ms_per_photo if engine == NATIVE else result.ms_per_photo
    return {}


def best(results: Mapping[str, EngineResult]) -> str:
    """The engine to choose among those that were tried: the fastest with one photo that agrees, see the margins."""
    usable = {name: results[name] for name in ENGINES if name in results and results[name].problem is None}
    chosen = NATIVE
    for name, result in usable.items():
        if result.ms_per_photo[1] > result.native_ms_per_photo[1] * _NATIVE_MUST_WIN_BY:
            continue
        if chosen == NATIVE or _share(result) * _PREFERRED_MAY_LOSE_BY < _share(usable[chosen]):
            chosen = name
    return chosen


def _share(result: EngineResult) -> float:
    """Time with one photo as a share of the native time in the same trial: trials run at different moments."""
    return result.ms_per_photo[1] / result.native_ms_per_photo[1]


def _recorded(store: ModelStore, spec: ModelSpec, wanted: str | None) -> Choice:
    if spec.runtime not in COMPILABLE:
        if wanted is None:
            return Choice(NATIVE)
        raise ArtifactError(f"{spec.name} runs natively only. Set DERMSERVE_ENGINE=auto or native.")
    if wanted is not None and installed_version(wanted) is None:
        raise ArtifactError(_how_to_install(wanted))
    folder = store.folder(spec)
    record = read_record(folder)
    if record is None:
        raise ArtifactError(f"no engine was prepared. Run: python -m ml prepare {spec.name}")
    engine = wanted or record.choice
    if engine == NATIVE:
        return Choice(NATIVE, ms_per_photo=ms_per_photo(store, spec, NATIVE))
    return _checked(store, spec, record, engine)


def _checked(store: ModelStore, spec: ModelSpec, record: EnginesRecord, engine: str) -> Choice:
    folder, again = store.folder(spec), f"Run: python -m ml prepare {spec.name}"
    result = record.results.get(engine)
    if result is None:
        raise ArtifactError(f"{spec.name} was not prepared for {engine}. {again}")
    stale = why_stale(record, engine, spec, served_digests(spec, store.manifest(spec).files))
    if stale is not None:
        raise ArtifactError(f"what was prepared for {spec.name} does not hold here: {stale}. {again}")
    if result.problem is not None:
        raise ArtifactError(f"{engine} cannot run {spec.name}: {result.problem}. Set DERMSERVE_ENGINE=auto or native.")
    check_files(folder, result.files)
    return Choice(engine, folder / FOLDER / engine, result.ms_per_photo)


def _how_to_install(engine: str) -> str:
    file = "requirements-openvino.txt" if engine == "openvino" else "requirements.txt"
    return f"{engine} is not installed. Run: pip install -r {file} && python -m ml prepare"
