"""Fine-tunes the encoder on photos with soft labels. It can be killed at any time and goes on from its checkpoint.

The loss is the cross-entropy of a cosine softmax head, with label smoothing; rare classes weigh more. AdamW (Loshchilov
and Hutter 2019) with a linear warm-up and a cosine decay. The random numbers of a step depend on the seed and the
step's place only, so a resumed training takes the same steps as an uninterrupted one.
"""

from __future__ import annotations

import hashlib
import io
import math
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ml.errors import MLError
from ml.training.encoder_network import CosineHead, Network, Photos, embed, embeddings, ready, to_tensor
from ml.values import RGB, Vectors
from storage.base import map_ordered, write_atomically

#: if the time allows it
MOST_EPOCHS = 30
_TIMED_STEPS, _UNTIMED_STEPS = 8, 2
_USED = 0.9  # of the time: the rest is for steps that take longer
_AHEAD = 4  # batches that are prepared while one is learnt
_DIGEST_BYTES = 32

#: (n, C) probabilities of the photos that stop early → their score; larger is better
Score = Callable[[NDArray[np.float32]], float]

#: why a training ended
ALL_EPOCHS, NOT_IMPROVING, OUT_OF_TIME = "all epochs", "the score stopped improving", "the time was over"


class CheckpointError(MLError):
    """The checkpoint cannot be read."""


class TooShortError(MLError):
    """The time is too short for one epoch, which needs ``needed_s`` seconds."""

    def __init__(self, message: str, needed_s: float = 0.0) -> None:
        super().__init__(message)
        self.needed_s = needed_s


@dataclass(frozen=True)
class TrainingRecipe:
    """How the encoder is trained. ``side``: of the photos in pixels. ``frozen_blocks``: the first blocks that do not
    change. ``zoom``, ``aspect``, ``shift``: limits of the geometric changes. ``brightness``, ``tint``: limits of the
    logarithm of a photo's gain, and of each channel's: small, because the colour of skin and lesion is evidence.
    ``patience``: epochs without a better score after which the training ends."""

    side: int = 192
    batch: int = 32
    frozen_blocks: int = 3
    rate: float = 5e-4
    decay: float = 0.02
    head_rate: float = 5e-3
    head_scale: float = 16.0
    warm_up: float = 0.1
    smoothing: float = 0.05
    balance: float = 0.5
    zoom: tuple[float, float] = (0.9, 1.3)
    aspect: float = 0.1
    shift: float = 0.08
    brightness: float = 0.1
    tint: float = 0.033
    patience: int = 8


@dataclass(frozen=True, eq=False)
class Examples:
    """The photos to learn. ``photos`` (P, side, side, 3) may be a memory map, of which ``rows`` (n,) are used.
    ``targets`` (n, C): each photo's shares of the classes; rows sum to 1. ``vectors`` (n, 512): the embeddings before
    training. ``judged`` (m,): the rows of the photos that stop early, which are not learnt."""

    photos: Photos
    rows: NDArray[np.intp]
    targets: NDArray[np.float32]
    vectors: Vectors
    judged: NDArray[np.intp]


@dataclass
class History:
    """What happened. ``epochs``: planned. ``scores``, ``losses``: of each finished epoch. ``best``: the epoch that was
    kept, from 0. ``ended``: why, or "" before the end."""

    epochs: int = 0
    scores: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    best: int = -1
    ended: str = ""


@dataclass(frozen=True)
class Limits:
    """``epochs``: at most; None: as many as fit into the time, at most MOST_EPOCHS. ``time_left``: gives the seconds
    that are left for the epochs, at any moment; infinite without a limit. ``checkpoint_s``: seconds between checkpoints
    within an epoch; a killed training loses no more than that."""

    epochs: int | None = None
    time_left: Callable[[], float] = lambda: math.inf
    checkpoint_s: float = 60


class Training:
    """One training, from its checkpoint if there is one. ``module`` (PooledStages) is changed in place."""

    def __init__(
        self, module: Network, examples: Examples, recipe: TrainingRecipe, *, seed: int, checkpoint: Path
    ) -> None:
        self.module = ready(module)
        self._device = next(module.parameters()).device
        self._examples, self._recipe, self._seed, self._checkpoint = examples, recipe, seed, checkpoint
        parts: Any = self.module
        if recipe.frozen_blocks:
            for part in (parts.stem, *list(parts.to_192)[: recipe.frozen_blocks]):
                part.requires_grad_(False)
        self._head = CosineHead.of(examples.vectors, examples.targets, recipe.head_scale).to(self._device)
        self._optimizer = self._make_optimizer()
        self._rates = [float(group["lr"]) for group in self._optimizer.param_groups]
        self._weights = example_weights(examples.targets, recipe.balance)
        self._best: dict[str, Any] = {}
        self._epoch = self._step = 0
        self._loss = 0.0
        self.history = History()

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return max(1, len(self._examples.rows) // self._recipe.batch)

    def run(self, score: Score, limits: Limits, progress: Callable[[int, int], None]) -> None:
        """Train to the end and leave the best epoch's weights in ``module``. ``progress`` gets (photos, all photos).

        Raises TooShortError before the first epoch, CheckpointError.
        """
        if not self._resume():
            self.history.epochs = self._affordable(limits)
            self._save()
        total = self.history.epochs * self.steps
        while not self.history.ended:
            self._run_epoch(score, limits, progress)
            self._save()
        progress(total * self._recipe.batch, total * self._recipe.batch)
        self.module.load_state_dict(self._best)

    def _run_epoch(self, score: Score, limits: Limits, progress: Callable[[int, int], None]) -> None:
        """The rest of the epoch. When the time is over, it ends there, and counts only if it is the first one."""
        total, batch = self.history.epochs * self.steps, self._recipe.batch
        saved = time.monotonic()
        with closing(self._batches()) as batches:
            for photos, chosen in batches:
                progress((self._epoch * self.steps + self._step) * batch, total * batch)
                self._learn(photos, chosen, total)
                self._step += 1
                if limits.time_left() < 0:
                    self.history.ended = OUT_OF_TIME
                    break
                if time.monotonic() - saved > limits.checkpoint_s:
                    self._save()
                    saved = time.monotonic()
        if self._step == self.steps or not self._best:
            self._end_epoch(score)

    def _end_epoch(self, score: Score) -> None:
        """Judge the epoch, and keep its weights if it is the best one so far; of equal ones the later."""
        self.history.losses.append(round(self._loss / self._step, 4))
        self.history.scores.append(round(score(self._judged()), 6))
        if self.history.best < 0 or self.history.scores[-1] >= self.history.scores[self.history.best]:
            self.history.best = self._epoch
            self._best = {name: value.detach().cpu().clone() for name, value in self.module.state_dict().items()}
        self._epoch, self._step, self._loss = self._epoch + 1, 0, 0.0
        if self._epoch == self.history.epochs:
            self.history.ended = ALL_EPOCHS
        elif has_stopped_improving(self.history.scores, self._recipe.patience):
            self.history.ended = NOT_IMPROVING

    def _judged(self) -> NDArray[np.float32]:
        vectors = embed(self.module, self._examples.photos[self._examples.judged])
        with torch.no_grad():
            logits = self._head(torch.from_numpy(vectors).to(self._device))
            return np.asarray(F.softmax(logits, dim=1).cpu().numpy(), np.float32)

    def _batches(self) -> Generator[tuple[NDArray[np.float32], NDArray[np.intp]], None, None]:
        """The rest of the epoch: altered photos, and their places in ``rows``. Prepared in other threads."""
        order = np.random.default_rng([self._seed, self._epoch]).permutation(len(self._examples.rows))

        def prepare(step: int) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
            chosen = order[step * self._recipe.batch : (step + 1) * self._recipe.batch]
            rng = np.random.default_rng([self._seed, self._epoch, step])
            photos = [self._examples.photos[row] for row in self._examples.rows[chosen]]
            return np.stack([altered(photo, rng, self._recipe) for photo in photos]), chosen

        return map_ordered(prepare, range(self._step, self.steps), workers=2, ahead=_AHEAD, name="photos")

    def _learn(self, photos: NDArray[np.float32], chosen: NDArray[np.intp], total: int) -> None:
        factor = rate_factor(self._epoch * self.steps + self._step, total, self._recipe.warm_up)
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        loss = self._gradients(photos, chosen)
        self._optimizer.step()
        self._loss += loss

    def _gradients(self, photos: NDArray[np.float32], chosen: NDArray[np.intp]) -> float:
        targets = torch.from_numpy(self._examples.targets[chosen]).to(self._device)
        targets = targets * (1 - self._recipe.smoothing) + self._recipe.smoothing / targets.shape[1]
        weights = torch.from_numpy(self._weights[chosen]).to(self._device)
        vectors = embeddings(self.module, to_tensor(photos, self._device), self._recipe.frozen_blocks)
        logits: Tensor = self._head(vectors)
        loss = -(weights * (targets * F.log_softmax(logits, dim=1)).sum(dim=1)).mean()
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    def _affordable(self, limits: Limits) -> int:
        """The number of epochs: as wanted, or fewer if the time is short. Raises TooShortError."""
        wanted = limits.epochs or MOST_EPOCHS
        if math.isinf(limits.time_left()):
            return wanted
        needed_s = self._epoch_seconds() / _USED
        if limits.time_left() < needed_s:
            raise TooShortError(f"One epoch takes about {math.ceil(needed_s / 60)} minutes.", needed_s)
        return min(wanted, int(limits.time_left() / needed_s))

    def _epoch_seconds(self) -> float:
        """The duration of an epoch, by the time of some steps that change nothing."""
        began = time.monotonic()
        timed = 0
        with closing(self._batches()) as batches:
            for number, (photos, chosen) in zip(range(_UNTIMED_STEPS + _TIMED_STEPS), batches, strict=False):
                if number == _UNTIMED_STEPS:
                    began, timed = time.monotonic(), 0
                self._gradients(photos, chosen)
                timed += 1
        of_step = (time.monotonic() - began) / max(1, timed)
        return of_step * (self.steps + len(self._examples.judged) / self._recipe.batch)

    def _make_optimizer(self) -> torch.optim.Optimizer:
        learnt = [value for value in self.module.parameters() if value.requires_grad]
        recipe = self._recipe
        return torch.optim.AdamW(
            [
                {"params": [v for v in learnt if v.ndim > 1], "lr": recipe.rate, "weight_decay": recipe.decay},
                {"params": [v for v in learnt if v.ndim <= 1], "lr": recipe.rate, "weight_decay": 0.0},
                {"params": list(self._head.parameters()), "lr": recipe.head_rate, "weight_decay": 0.0},
            ]
        )

    def _save(self) -> None:
        """Write the checkpoint in one step, after its sha256."""
        state = {
            "module": self.module.state_dict(),
            "head": self._head.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "best": self._best,
            "place": [self._epoch, self._step, self._loss],
            "history": deepcopy(self.history.__dict__),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        data = buffer.getvalue()
        write_atomically(self._checkpoint, hashlib.sha256(data).digest() + data)

    def _resume(self) -> bool:
        """Whether there is a checkpoint, which is read then. Raises CheckpointError if it is damaged."""
        if not self._checkpoint.is_file():
            return False
        content = self._checkpoint.read_bytes()
        digest, data = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(data).digest() != digest:
            raise CheckpointError(f"{self._checkpoint} is damaged.")
        state = torch.load(io.BytesIO(data), weights_only=True, map_location=self._device)
        self.module.load_state_dict(state["module"])
        self._head.load_state_dict(state["head"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._best = state["best"]
        self._epoch, self._step, self._loss = state["place"]
        self.history = History(**state["history"])
        return True


def has_stopped_improving(scores: Sequence[float], patience: int) -> bool:
    """Whether none of the last ``patience`` scores exceeds the best one before them."""
    return len(scores) > patience and max(scores[-patience:]) <= max(scores[:-patience])


def rate_factor(step: int, total: int, warm_up: float) -> float:
    """The learning rate's factor, 0–1, at ``step`` of ``total``: linear for the share ``warm_up``, then a cosine."""
    warm = total * warm_up
    if step < warm:
        return (step + 1) / max(1.0, math.ceil(warm))
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / (total - warm)))


def example_weights(targets: NDArray[np.float32], balance: float) -> NDArray[np.float32]:
    """(n,) the weight of each photo: a class of n photos weighs n^−balance. Their mean is 1."""
    counts = np.maximum(targets.sum(axis=0, dtype=np.float64), 1.0)
    weights = targets @ counts**-balance
    return np.asarray(weights / weights.mean(), np.float32)


def altered(photo: RGB, rng: np.random.Generator, recipe: TrainingRecipe) -> NDArray[np.float32]:
    """A copy (side, side, 3), 0–255, turned, mirrored, enlarged or reduced, stretched, shifted, and in slightly other
    light. Its border is mirrored."""
    height, width = photo.shape[:2]
    zoom = math.exp(rng.uniform(*np.log(recipe.zoom))) * recipe.side / max(height, width)
    angle, stretch = rng.uniform(-math.pi, math.pi), math.exp(rng.uniform(-recipe.aspect, recipe.aspect))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    cos, sin = math.cos(angle) * zoom, math.sin(angle) * zoom
    turn = np.array([[cos * stretch * mirror, -sin / stretch], [sin * stretch * mirror, cos / stretch]])
    shift = rng.uniform(-recipe.shift, recipe.shift, 2) * recipe.side
    offset = recipe.side / 2 + shift - turn @ np.array([width / 2, height / 2])
    matrix = np.column_stack([turn, offset])
    moved = cv2.warpAffine(photo, matrix, (recipe.side, recipe.side), borderMode=cv2.BORDER_REFLECT_101)
    light = rng.uniform(-recipe.brightness, recipe.brightness) + rng.uniform(-recipe.tint, recipe.tint, 3)
    return np.asarray(moved * np.exp(light).astype(np.float32), np.float32)
