"""The time that a request may still use."""

from __future__ import annotations

import time

from ml.errors import DeadlineExceededError


class Deadline:
    """Counts down ``seconds`` from now. Each stage checks it before it starts. It does not stop work that is running,
    except a child process."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.seconds = seconds

    def remaining(self) -> float:
        """Seconds left, 0.0 after the end."""
        return max(0.0, self._end - time.monotonic())

    def check(self, stage: str) -> None:
        """Raise DeadlineExceededError, which names ``stage``, if no time is left to start it."""
        if self.remaining() <= 0.0:
            raise self.exceeded(stage)

    def exceeded(self, stage: str) -> DeadlineExceededError:
        """The error to raise when there is no time to start or to finish ``stage``."""
        return DeadlineExceededError(
            f"The analysis did not finish within {self.seconds:g} s: it stopped before '{stage}'. "
            "Send it again later, or send a smaller photo.",
            stage=stage,
            limit_s=self.seconds,
        )
