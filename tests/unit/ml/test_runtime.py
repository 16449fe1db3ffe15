"""A model's inputs are run photo by photo, and its outputs are checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ml.deadline import Deadline
from ml.errors import DeadlineExceededError, ModelError
from ml.models.runtime import run_each
from tests.unit.ml.tiny_models import RecordingRuntime, one_column

#: seconds that no test here takes
LONG = 60.0


def run(function: Callable[..., Any], photos: int = 1, deadline: Deadline | None = None) -> np.ndarray:
    column = np.arange(photos, dtype=np.float32)[:, None]
    return run_each(one_column(), RecordingRuntime(function), [column, 10 * column], "encode", deadline)


class Arrival(Deadline):
    """A deadline far away of a client that may leave."""

    left = False

    def check(self, stage: str) -> None:
        super().check(stage)
        if self.left:
            raise ConnectionError(stage)


def test_each_photo_is_run_by_itself_in_the_callers_order() -> None:
    seen: list[list[float]] = []

    def add(one: np.ndarray, ten: np.ndarray) -> np.ndarray:
        seen.append(one.ravel().tolist())
        return one + ten

    assert run(add, photos=3).ravel().tolist() == [0, 11, 22]
    assert seen == [[0], [1], [2]]


def test_no_photo_is_started_after_the_deadline_or_when_the_client_has_left() -> None:
    deadline, seen = Arrival(LONG), []

    def leave(one: np.ndarray, _: np.ndarray) -> np.ndarray:
        seen.append(one.item())
        deadline.left = True
        return one

    with pytest.raises(ConnectionError, match="encode"):
        run(leave, photos=2, deadline=deadline)
    with pytest.raises(DeadlineExceededError):
        run(leave, photos=2, deadline=Deadline(0.0))
    assert seen == [0]


@pytest.mark.parametrize("error", [RuntimeError(), MemoryError(), SystemExit(1), GeneratorExit(), BaseException()])
def test_whatever_a_library_raises_becomes_one_error(error: BaseException) -> None:
    def throw(*_: Any) -> np.ndarray:
        raise error

    with pytest.raises(ModelError, match="one-column failed on this photo") as caught:
        run(throw)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("shape", [(), (1,), (0, 1), (2, 1), (1, 2), (1, 1, 1)])
def test_another_shape_than_the_models_is_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="not 1 × 1"):
        run(lambda *_: np.zeros(shape, np.float32))
