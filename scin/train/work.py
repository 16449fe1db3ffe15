"""The folder beside the result that keeps a training's state, so that a killed training goes on."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ml.training.encoder import TrainingRecipe
from scin.layout import CASES_FILE, LABELS_FILE
from scin.train.photos import TrainError
from storage import Storage
from storage.base import write_atomically

_KEY, _LOCK = "training.json", "lock"
#: files of the folder
CHECKPOINT, FROZEN = "checkpoint.pt", "frozen.npy"


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


def tables_digest(store: Storage) -> str:
    """The sha256 of the dataset's tables. Raises StorageError."""
    return hashlib.sha256(store.read(CASES_FILE) + store.read(LABELS_FILE)).hexdigest()


def work_folder(out: Path) -> Path:
    """The folder of the training whose result is ``out``."""
    return out.with_name(f"{out.name}.work")


@contextmanager
def opened(folder: Path, key: Key, *, force: bool) -> Iterator[None]:
    """Lock the folder, and keep what an earlier run of the same training left. ``force``: start anew.

    Raises TrainError if another training is running, or was stopped, in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise TrainError(f"Another training is running in {folder}. Wait for it or stop it.") from error
        if force:
            _clear(folder)
        if (stated := changed(folder / _KEY, key.facts)) is not None:
            raise TrainError(
                f"{folder} has an unfinished training with another {stated}. Repeat its command to go on with it, or "
                "add --force to start anew."
            )
        write_atomically(folder / _KEY, (json.dumps(key.facts, indent=1) + "\n").encode())
        yield


def changed(path: Path, facts: dict[str, object]) -> str | None:
    """The name of the first fact in the JSON file ``path`` that differs; None if none does or there is no file."""
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
        return next((name for name, value in facts.items() if stated.get(name) != value), None)
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError):
        return "format"


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != _LOCK:
            path.unlink()
