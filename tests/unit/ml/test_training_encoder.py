"""The epochs of an encoder's training: which one is kept, when they end, and what a checkpoint keeps. Needs the real
encoder; the photos are noise of 32 pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import pytest
import torch

from ml.models.registry import EFFICIENTNET_LITE0
from ml.models.store import ModelStore
from ml.training.encoder import (
    ALL_EPOCHS,
    NOT_IMPROVING,
    OUT_OF_TIME,
    CheckpointError,
    Examples,
    Limits,
    TooShortError,
    Training,
    TrainingRecipe,
    has_stopped_improving,
)
from ml.training.export import starting_network
from settings import Settings

RECIPE = TrainingRecipe(side=32, batch=8, patience=2)
STEPS = 2  # of an epoch

Make = Callable[[], Training]


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    store = ModelStore(Settings.load().models_dir)
    if not (store.folder(EFFICIENTNET_LITE0) / "source").is_dir():
        pytest.skip("the encoder was not fetched: python -m ml fetch efficientnet-lite0")
    return starting_network(store, EFFICIENTNET_LITE0)


@pytest.fixture
def training(network: torch.nn.Module, tmp_path: Path) -> Make:
    """Makes a training that goes on from the checkpoint of the one before."""
    rng = np.random.default_rng(1)
    examples = Examples(
        photos=rng.integers(0, 256, (STEPS * 8 + 4, 32, 32, 3), np.uint8),
        rows=np.arange(STEPS * 8),
        targets=np.eye(2, dtype=np.float32)[np.arange(STEPS * 8) % 2],
        vectors=rng.normal(size=(STEPS * 8, 512)).astype(np.float32),
        judged=np.arange(STEPS * 8, STEPS * 8 + 4),
    )
    return lambda: Training(deepcopy(network), examples, RECIPE, seed=1, checkpoint=tmp_path / "checkpoint.pt")


def run(training: Training, scores: Iterator[float], limits: Limits) -> Training:
    training.run(lambda given: next(scores), limits, lambda done, total: None)
    return training


def test_the_best_epoch_is_kept(training: Make) -> None:
    found = run(training(), iter([0.1, 0.3, 0.2]), Limits(epochs=3)).history
    assert (found.best, found.ended, len(found.losses)) == (1, ALL_EPOCHS, 3)


def test_the_training_ends_when_the_score_stops_improving(training: Make) -> None:
    found = run(training(), chain([0.1, 0.3], repeat(0.2)), Limits(epochs=30)).history
    assert (found.scores, found.best, found.ended) == ([0.1, 0.3, 0.2, 0.2], 1, NOT_IMPROVING)


@pytest.mark.parametrize(
    ("scores", "stopped"),
    [
        ([], False),
        ([0.5, 0.4], False),
        ([0.5, 0.4, 0.4], True),
        ([0.5, 0.5, 0.5], True),
        ([0.4, 0.5, 0.4], False),
        ([0.1, 0.5, 0.4, 0.51], False),
    ],
)
def test_two_epochs_without_a_better_score_are_enough(scores: list[float], stopped: bool) -> None:
    assert has_stopped_improving(scores, patience=2) == stopped


def test_when_the_time_is_over_the_best_epoch_so_far_is_kept(training: Make) -> None:
    left = chain(repeat(math.inf, 1 + STEPS), repeat(-1.0))  # asked once before the epochs, then after each step
    made = run(training(), iter([0.5]), Limits(epochs=3, time_left=lambda: next(left)))
    assert (made.history.scores, made.history.ended) == ([0.5], OUT_OF_TIME)


def test_an_epoch_that_the_time_cuts_short_counts_if_there_is_no_other(training: Make) -> None:
    left = chain([math.inf], repeat(-1.0))
    found = run(training(), iter([0.5]), Limits(epochs=3, time_left=lambda: next(left))).history
    assert (found.scores, found.best, found.ended) == ([0.5], 0, OUT_OF_TIME)


def test_fewer_epochs_are_planned_if_the_time_is_short(training: Make) -> None:
    with pytest.raises(TooShortError, match="One epoch takes about 1 minutes") as caught:
        run(training(), iter([]), Limits(time_left=lambda: 1e-6))
    assert caught.value.needed_s > 0
    made = training()
    run(made, chain([0.1], repeat(0.0)), Limits(epochs=3, time_left=lambda: 1e6))
    assert made.history.epochs == 3


def test_a_stopped_training_takes_the_same_steps(training: Make, tmp_path: Path) -> None:
    whole = run(training(), iter([0.1, 0.2]), Limits(epochs=2))
    (tmp_path / "checkpoint.pt").unlink()

    def stop(done: int, total: int) -> None:
        if done == 3 * RECIPE.batch:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training().run(lambda given: 0.1, Limits(epochs=2, checkpoint_s=0), stop)
    resumed = run(training(), iter([0.2]), Limits(epochs=2))
    assert resumed.history == whole.history
    for name, value in whole.module.state_dict().items():
        torch.testing.assert_close(resumed.module.state_dict()[name], value, msg=name)


def test_a_finished_training_gives_the_best_epoch_again(training: Make) -> None:
    first = run(training(), iter([0.2, 0.1]), Limits(epochs=2))
    again = run(training(), iter([]), Limits(epochs=2))
    assert again.history == first.history
    for name, value in first.module.state_dict().items():
        torch.testing.assert_close(again.module.state_dict()[name], value, rtol=0, atol=0, msg=name)


@pytest.mark.parametrize("spoil", [lambda data: data[:-9], lambda data: data[:5000] + b"\0?" + data[5002:]])
def test_a_damaged_checkpoint_is_refused(training: Make, tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    run(training(), iter([0.2]), Limits(epochs=1))
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt is damaged\.$"):
        run(training(), iter([]), Limits(epochs=1))
