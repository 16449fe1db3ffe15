"""The whole training: photos, split, epochs, comparison, and the encoder's folder if it was adopted."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ml.models.compiled import compile_model
from ml.models.registry import EFFICIENTNET_LITE0, find
from ml.models.spec import ModelSpec
from ml.models.store import ModelStore
from ml.models.trained import REPORT_FILE
from ml.training.encoder import Budget, Examples, Training, TrainingRecipe
from ml.training.encoder_network import Network, Photos, embed, keep_memory, ready
from ml.training.export import starting_network
from ml.values import Vectors
from scin.build import check_replaceable
from scin.dataset import read_dataset
from scin.evaluate import fit
from scin.evaluate.cases import Floats, LabelledCases
from scin.index.manifest import replace_folder
from scin.train.adoption import compare
from scin.train.artifact import Facts, check_agrees, write_encoder, write_report
from scin.train.photos import PhotoSet, Progress, TrainError, has_condition, reduced_photos
from scin.train.split import Parts, assembled, split
from scin.train.work import CHECKPOINT, FROZEN, Key, opened, tables_digest, work_folder
from storage import Storage
from storage.base import write_atomically

__all__ = ["Budget", "Options", "Outcome", "train"]

_CHECKED = 8  # held-out photos on which the exported program is compared with the network


@dataclass(frozen=True)
class Options:
    """The command's options. ``force``: forget an earlier training."""

    budget: Budget = field(default_factory=Budget)
    seed: int = 1
    limit: int | None = None
    force: bool = False
    recipe: TrainingRecipe = field(default_factory=TrainingRecipe)


@dataclass(frozen=True)
class Outcome:
    """``new``: False if the training was finished before. ``compiled``: what became of the compilation, or None."""

    adopted: bool
    verdict: str
    new: bool = True
    compiled: str | None = None


def train(store: Storage, out: Path, models_dir: Path, options: Options, progress: Progress) -> Outcome:
    """Train the encoder on a dataset in SCIN's layout and write the folder ``out``.

    Raises TrainError, ArtifactError (the encoder is missing), StorageError (the tables cannot be read) or BuildError
    (``out`` has something else).
    """
    check_replaceable(out, REPORT_FILE)
    models, base = ModelStore(models_dir), EFFICIENTNET_LITE0
    key = Key(
        source=store.uri.rstrip("/"),
        tables=tables_digest(store),
        encoder=models.manifest(base).fingerprint,
        seed=options.seed,
        limit=options.limit,
        epochs=options.budget.epochs,
        recipe=options.recipe,
    )
    if not options.force and (finished := _finished(out, key)) is not None:
        return finished
    folder = work_folder(out)
    with opened(folder, key, force=options.force):
        outcome = _Run(store, out, folder, models, base, key, options, progress).outcome()
        shutil.rmtree(folder)
    return outcome


def _finished(out: Path, key: Key) -> Outcome | None:
    """The outcome of the same training, if ``out`` has it. Raises TrainError if ``out`` has another one's."""
    path = out / REPORT_FILE
    if not path.is_file():
        return None
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        facts, adopted, verdict = report["training"], bool(report["adopted"]), str(report["verdict"])
    except (ValueError, KeyError, TypeError) as error:
        raise TrainError(f"{path} is damaged. Add --force to train again.") from error
    if facts != key.facts:
        other = next(name for name, value in key.facts.items() if facts.get(name) != value)
        raise TrainError(f"{out} has a finished training with another {other}. Add --force to replace it.")
    return Outcome(adopted, verdict, new=False)


@dataclass(frozen=True)
class _Run:
    """One run in the locked folder ``folder``. ``base``: the encoder that the training starts from."""

    store: Storage
    out: Path
    folder: Path
    models: ModelStore
    base: ModelSpec
    key: Key
    options: Options
    progress: Progress

    def outcome(self) -> Outcome:
        dataset = read_dataset(self.store)
        chosen = [case for case in dataset.cases if has_condition(case)][: self.options.limit]
        photos = reduced_photos(self.store, chosen, self.folder, self.base.preprocess, self.progress)
        keep_memory()
        module = ready(starting_network(self.models, self.base))
        cases = assembled(chosen, photos, self._frozen(module, photos))
        parts = split(cases, self.options.seed)
        training = self._trained(module, cases, parts, photos)
        tuned = self._embedded("embed again", training.module, photos)
        with threadpool_limits(1):  # the number of BLAS threads would change the last digits
            comparison = compare(cases, parts, tuned, self.options.seed)
        facts = Facts(
            credit=dataset.facts.attribution,
            key=self.key.facts,
            parts=_sizes(cases, parts),
            photos=len(photos.digests),
            history=training.history.__dict__ | {"seconds": round(training.history.seconds, 1)},
            skipped=photos.skipped,
            comparison=comparison,
        )
        self._write(training.module, facts, _seen(cases, parts, photos), photos.pixels[-_CHECKED:], tuned[-_CHECKED:])
        if not comparison.adopted:
            return Outcome(adopted=False, verdict=comparison.verdict)
        compiled, _ = compile_model(self.models, find(str(self.out.resolve())))
        return Outcome(adopted=True, verdict=comparison.verdict, compiled=compiled.summary())

    def _embedded(self, stage: str, module: Network, photos: PhotoSet) -> Vectors:
        total = len(photos.digests)
        return embed(module, photos.pixels, lambda done: self.progress(stage, done, total))

    def _frozen(self, module: Network, photos: PhotoSet) -> Vectors:
        """(P, 512) the embeddings before training; from the file of an earlier run if there is one."""
        path = self.folder / FROZEN
        if not path.is_file():
            write_atomically(path, self._embedded("embed", module, photos).tobytes())
        return np.frombuffer(path.read_bytes(), np.float32).reshape(len(photos.digests), -1).copy()

    def _trained(self, module: Network, cases: LabelledCases, parts: Parts, photos: PhotoSet) -> Training:
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
        chosen = self.options
        training = Training(module, examples, chosen.recipe, seed=chosen.seed, checkpoint=self.folder / CHECKPOINT)
        training.run(score, chosen.budget, partial(self.progress, "train"))
        return training

    def _write(
        self, module: Network, facts: Facts, seen: dict[str, list[str]], photos: Photos, expected: Vectors
    ) -> None:
        """Complete the new folder beside ``out``, check it, and put it in its place."""
        self.out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.out.parent, prefix=f".{self.out.name}-") as temporary:
            new = Path(temporary, "new")
            new.mkdir()
            write_report(new, facts)
            if facts.comparison.adopted:
                write_encoder(new, self.base, module, facts, seen)
                check_agrees(self.models.root, new, photos, expected)
            replace_folder(self.out, new, aside=Path(temporary, "old"))


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
