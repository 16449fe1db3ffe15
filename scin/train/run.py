"""The whole training: photos, split, epochs, comparison, and the encoder's folder if it was adopted."""

from __future__ import annotations

import io
import json
import math
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ml.models.compiled import compile_model
from ml.models.registry import EFFICIENTNET_LITE0, find
from ml.models.spec import ModelSpec
from ml.models.store import ModelStore
from ml.models.trained import REPORT_FILE
from ml.training.encoder import CheckpointError, Examples, Limits, TooShortError, Training, TrainingRecipe
from ml.training.encoder_network import Network, Photos, embed, keep_memory, ready
from ml.training.export import starting_network
from ml.values import Vectors
from scin.build import check_replaceable
from scin.dataset import read_dataset
from scin.evaluate import fit
from scin.evaluate.cases import Floats, LabelledCases
from scin.index.manifest import replace_folder
from scin.train.adoption import Answers, answer, compare
from scin.train.artifact import Facts, check_agrees, write_encoder, write_report
from scin.train.photos import PhotoSet, Progress, TrainError, has_condition, reduced_photos
from scin.train.split import Parts, assembled, split
from scin.train.work import (
    CHECKPOINT,
    Key,
    Work,
    discard,
    first_difference,
    is_unfinished,
    opened,
    tables_digest,
    work_folder,
)
from storage import Storage
from storage.base import write_atomically

__all__ = ["DEFAULT_MINUTES", "Options", "Outcome", "train"]

#: 5,984 photos on two cores: about ten minutes before and after the epochs, and as many epochs as fit into the rest
DEFAULT_MINUTES = 50
_CHECKED = 8  # photos on which the exported program is compared with the network
#: What follows the epochs: embedding the photos again, as long as before; answering by the trained encoder, which fits
#: up to this many times the heads; and export and compilation, in seconds.
_MORE_HEADS, _WRITING_S = 3.5, 120
_EMBED, _ANSWER = "embed", "answer"


@dataclass(frozen=True)
class Options:
    """The command's options. ``minutes``: of the whole training over all its runs; None: DEFAULT_MINUTES, or as long as
    ``epochs`` take. ``epochs``: at most; None: as many as fit. ``force``: forget an earlier training.
    ``checkpoint_s``: see ml.training.encoder.Limits."""

    minutes: float | None = None
    epochs: int | None = None
    seed: int = 1
    limit: int | None = None
    force: bool = False
    recipe: TrainingRecipe = field(default_factory=TrainingRecipe)
    checkpoint_s: float = 60

    @property
    def limit_s(self) -> float:
        """Seconds of the whole training; infinite without a limit."""
        if self.minutes is None and self.epochs is not None:
            return math.inf
        return 60 * (self.minutes or DEFAULT_MINUTES)


@dataclass(frozen=True)
class Outcome:
    """``new``: False if the training was finished before. ``compiled``: what became of the compilation, or None."""

    adopted: bool
    verdict: str
    new: bool = True
    compiled: str | None = None


def train(store: Storage, out: Path, models_dir: Path, options: Options, progress: Progress) -> Outcome:
    """Train the encoder on a dataset in SCIN's layout and write the folder ``out``.

    Raises TrainError, ArtifactError (the encoder is missing), StorageError (the tables cannot be read, or another
    training is running) or BuildError (``out`` has something else).
    """
    check_replaceable(out, REPORT_FILE)
    models, base = ModelStore(models_dir), EFFICIENTNET_LITE0
    key = Key(
        source=store.uri.rstrip("/"),
        tables=tables_digest(store),
        encoder=models.manifest(base).fingerprint,
        seed=options.seed,
        limit=options.limit,
        epochs=options.epochs,
        recipe=options.recipe,
    )
    folder = work_folder(out)
    if not options.force and not is_unfinished(folder, key) and (finished := _finished(out, key)) is not None:
        discard(folder)
        return finished
    with opened(folder, key, force=options.force) as work:
        outcome = _Run(store, out, work, models, base, key, options, progress).outcome()
        work.finish()
    return outcome


def _finished(out: Path, key: Key) -> Outcome | None:
    """The outcome of the same training, if ``out`` has it. Raises TrainError if ``out`` has another one's."""
    path = out / REPORT_FILE
    if not path.is_file():
        return None
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        facts, adopted, verdict = dict(report["training"]), bool(report["adopted"]), str(report["verdict"])
    except (ValueError, KeyError, TypeError) as error:
        raise TrainError(f"{path} is damaged. Add --force to train again.") from error
    if (other := first_difference(facts, key)) is not None:
        raise TrainError(f"{out} has a finished training with another {other}. Add --force to replace it.")
    return Outcome(adopted, verdict, new=False)


@dataclass(frozen=True)
class _Run:
    """One run in the locked folder of ``work``. ``base``: the encoder that the training starts from."""

    store: Storage
    out: Path
    work: Work
    models: ModelStore
    base: ModelSpec
    key: Key
    options: Options
    show: Progress

    def outcome(self) -> Outcome:
        dataset = read_dataset(self.store)
        chosen = [case for case in dataset.cases if has_condition(case)][: self.options.limit]
        photos = reduced_photos(self.store, chosen, self.work.folder, self.base.preprocess, self._progress)
        keep_memory()
        module = ready(starting_network(self.models, self.base))
        cases = assembled(chosen, photos, self._embedded(_EMBED, module, photos))
        parts = split(cases, self.options.seed)
        before = self._answers(_ANSWER, cases, parts, trained=False)
        training = self._trained(module, cases, parts, photos)
        tuned = self._embedded(f"{_EMBED} again", training.module, photos)
        after = self._answers(f"{_ANSWER} again", replace(cases, vectors=tuned), parts, trained=True)
        comparison = compare(cases.take(parts.held_out), before, after, self.options.seed)
        facts = Facts(
            credit=dataset.facts.attribution,
            key=self.key.facts,
            parts=_sizes(cases, parts),
            photos=len(photos.digests),
            history=asdict(training.history),
            resumed=self.work.resumed,
            seconds=round(self.work.spent_s),
            skipped=photos.skipped,
            comparison=comparison,
        )
        self._progress("write", 0, 1)
        self._write(training.module, facts, _seen(cases, parts, photos), photos.pixels[-_CHECKED:], tuned[-_CHECKED:])
        compiled = self._compiled() if comparison.adopted else None
        self._progress("write", 1, 1)
        return Outcome(comparison.adopted, comparison.verdict, compiled=compiled)

    def _progress(self, stage: str, done: int, total: int) -> None:
        self.work.tick()
        self.show(stage, done, total)

    def _embedded(self, stage: str, module: Network, photos: PhotoSet) -> Vectors:
        """(P, 512) the embeddings of the photos."""

        def make() -> Mapping[str, NDArray[Any]]:
            total = len(photos.digests)
            return {"vectors": embed(module, photos.pixels, lambda done: self._progress(stage, done, total))}

        return np.asarray(self._kept(stage, make)["vectors"], np.float32)

    def _answers(self, stage: str, cases: LabelledCases, parts: Parts, *, trained: bool) -> Answers:
        def make() -> Mapping[str, NDArray[Any]]:
            self._progress(stage, 0, 1)
            with threadpool_limits(1):  # the number of BLAS threads would change the last digits
                found = answer(cases, parts, self.options.seed, trained=trained)
            self._progress(stage, 1, 1)
            return {"shares": found.shares, "method": np.array(found.method)}

        kept = self._kept(stage, make)
        return Answers(kept["shares"], str(kept["method"]))

    def _kept(self, stage: str, make: Callable[[], Mapping[str, NDArray[Any]]]) -> Mapping[str, NDArray[Any]]:
        """What ``make`` gives; from the file of an earlier run if there is one. The time of the stage is recorded."""
        path = self.work.folder / f"{stage.replace(' ', '-')}.npz"
        with suppress(OSError, ValueError, BadZipFile), np.load(path) as arrays:
            return dict(arrays)
        with self.work.timed(stage):
            found = make()
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **found)
        write_atomically(path, buffer.getvalue())
        return found

    def _trained(self, module: Network, cases: LabelledCases, parts: Parts, photos: PhotoSet) -> Training:
        """Raises TrainError if the checkpoint is damaged or the time too short for an epoch."""
        learnt, inner = cases.take(parts.learnt), cases.take(parts.inner)
        named = np.flatnonzero(learnt.weights.sum(axis=0) > 0)

        def score(given: NDArray[np.float32]) -> float:
            shares: Floats = np.zeros(inner.weights.shape)
            shares[:, named] = np.add.reduceat(given, inner.starts, axis=0) / inner.photos_per_case[:, None]
            return fit.criterion(shares, inner)

        examples = Examples(
            photos=photos.pixels,
            rows=learnt.photos,
            targets=np.asarray(learnt.weights[learnt.owners][:, named], np.float32),
            vectors=cases.vectors[learnt.photos],
            judged=inner.photos,
        )
        chosen, after_s = self.options, self._seconds_after()
        limits = Limits(chosen.epochs, lambda: chosen.limit_s - self.work.spent_s - after_s, chosen.checkpoint_s)
        checkpoint = self.work.folder / CHECKPOINT
        training = Training(module, examples, chosen.recipe, seed=chosen.seed, checkpoint=checkpoint)
        try:
            training.run(score, limits, partial(self._progress, "train"))
        except CheckpointError as error:
            raise TrainError(f"{error.message} Add --force to train again from the beginning.") from error
        except TooShortError as error:
            needed = math.ceil((self.work.spent_s + error.needed_s + after_s) / 60) + 1
            raise TrainError(
                f"{chosen.limit_s / 60:g} minutes are too short for one epoch. Give at least --minutes {needed}, or "
                "train on fewer cases with --limit."
            ) from error
        return training

    def _seconds_after(self) -> float:
        """What the steps after the epochs will take, by what those before took, over all runs."""
        return self.work.took(_EMBED) + _MORE_HEADS * self.work.took(_ANSWER) + _WRITING_S

    def _write(
        self, module: Network, facts: Facts, seen: dict[str, list[str]], photos: Photos, expected: Vectors
    ) -> None:
        """Complete the new folder, check it, and put it in its place."""
        new = self.work.folder / "new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        write_report(new, facts)
        if facts.comparison.adopted:
            write_encoder(new, self.base, module, facts, seen)
            check_agrees(self.models.root, new, photos, expected)
        replace_folder(self.out, new, aside=self.work.folder / "replaced")

    def _compiled(self) -> str:
        """Compile the new encoder for this machine, and say what became of it."""
        record, _ = compile_model(self.models, find(str(self.out.resolve())))
        return record.summary()


def _sizes(cases: LabelledCases, parts: Parts) -> dict[str, int]:
    return {
        "all": len(cases),
        "learnt": len(parts.learnt),
        "inner": len(parts.inner),
        "held_out": len(parts.held_out),
        "patients_or_sources": len(np.unique(cases.groups)),
        "conditions": len(cases.conditions),
    }


def _seen(cases: LabelledCases, parts: Parts, photos: PhotoSet) -> dict[str, list[str]]:
    seen = cases.take(parts.seen)
    return {"cases": list(seen.ids), "photos": [photos.digests[row] for row in np.unique(seen.photos)]}
