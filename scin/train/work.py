"""The folder beside the result that keeps a training's state, so that a killed training goes on."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ml.training.encoder import TrainingRecipe
from scin.layout import CASES_FILE, LABELS_FILE
from scin.train.photos import TrainError
from storage import Storage
from storage.base import write_atomically
from storage.work_folder import FolderInUseError, clear, locked

_STATE, _TASK = "state.json", "training"
CHECKPOINT = "checkpoint.pt"
#: The time that a run took is written after so many seconds: a killed run counts nearly in full.
_RECORDED_S = 10


@dataclass(frozen=True)
class Key:
    """What a training depends on. ``tables``: sha256 of the dataset's two tables. ``encoder``: the fingerprint of the
    encoder that it starts from. ``epochs`` is None if the time decides."""

    source: str
    tables: str
    encoder: str
    seed: int
    limit: int | None
    epochs: int | None
    recipe: TrainingRecipe

    @property
    def facts(self) -> dict[str, object]:
        """As JSON reads it."""
        return dict(json.loads(json.dumps(asdict(self))))


@dataclass
class _State:
    """``runs``: so far. ``spent_s``: seconds of them all. ``took``: step → seconds. ``finished``: the result is
    there."""

    key: dict[str, object]
    runs: int = 0
    spent_s: float = 0.0
    took: dict[str, float] = field(default_factory=dict)
    finished: bool = False


class Work:
    """An open work folder, and the time that its training took over all runs."""

    def __init__(self, folder: Path, state: _State) -> None:
        self.folder = folder
        self._state = state
        self._before, self._began = state.spent_s, time.monotonic()
        self._state.runs += 1
        self._record()

    @property
    def resumed(self) -> int:
        """How often the training went on after it was stopped."""
        return self._state.runs - 1

    @property
    def spent_s(self) -> float:
        return self._before + time.monotonic() - self._began

    def tick(self) -> None:
        """Record the time now and then. To be called often."""
        if self.spent_s - self._state.spent_s > _RECORDED_S:
            self._record()

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Measure a step. What a killed run did of it does not count."""
        began = time.monotonic()
        yield
        self._state.took[step] = time.monotonic() - began
        self._record()

    def took(self, step: str) -> float:
        """Seconds of a step that this run or an earlier one completed."""
        return self._state.took[step]

    def finish(self) -> None:
        """Say that the result is in its place, and remove the folder."""
        self._state.finished = True
        self._record()
        shutil.rmtree(self.folder)

    def _record(self) -> None:
        self._state.spent_s = self.spent_s
        write_atomically(self.folder / _STATE, json.dumps(asdict(self._state), indent=1).encode())


def tables_digest(store: Storage) -> str:
    """The sha256 of the dataset's tables. Raises StorageError."""
    return hashlib.sha256(store.read(CASES_FILE) + store.read(LABELS_FILE)).hexdigest()


def work_folder(out: Path) -> Path:
    """The folder of the training whose result is ``out``."""
    return out.with_name(f"{out.name}.work")


def is_unfinished(folder: Path, key: Key) -> bool:
    """Whether the folder has a training with this key that was stopped before its end."""
    with suppress(TrainError):
        state = _read(folder)
        return state is not None and state.key == key.facts and not state.finished
    return False


def discard(folder: Path) -> None:
    """Remove what a run left that was killed at its very end. A folder with anything else stays."""
    with suppress(TrainError, FolderInUseError):
        state = _read(folder)
        if state is not None and state.finished:
            with locked(folder, _TASK):
                shutil.rmtree(folder)


@contextmanager
def opened(folder: Path, key: Key, *, force: bool) -> Iterator[Work]:
    """Lock the folder, and keep what an earlier run of the same training left. ``force``: start anew.

    Raises FolderInUseError if another training is running in it, TrainError if another one was stopped in it.
    """
    with locked(folder, _TASK):
        state = None if force else _read(folder)
        if state is None or state.finished:
            clear(folder)
            state = _State(key.facts)
        if (stated := first_difference(state.key, key)) is not None:
            raise TrainError(
                f"{folder} has an unfinished training with another {stated}. Repeat its command to go on with it, or "
                "add --force to start anew."
            )
        yield Work(folder, state)


def first_difference(facts: dict[str, object], key: Key) -> str | None:
    """The name of the first fact of a training that differs from ``key``; None if none does."""
    return next((name for name, value in key.facts.items() if facts.get(name) != value), None)


def _read(folder: Path) -> _State | None:
    """The state of the training in the folder; None if there is none. Raises TrainError."""
    path = folder / _STATE
    try:
        return _State(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError) as error:
        raise TrainError(f"{path} is damaged. Add --force to start anew.") from error
