"""The time a request may still use."""

from __future__ import annotations

import time

from ml.errors import DeadlineExceededError


class Deadline:
    """Counts down from its making. Expired work is refused before a stage starts; in its middle only a child
    process is cut."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.seconds = seconds

    def remaining(self) -> float:
        """Seconds left; 0.0 once expired."""
        return max(0.0, self._end - time.monotonic())

    def check(self, stage: str) -> None:
        """Raise DeadlineExceededError, naming ``stage``, if no time is left to start it."""
        if self.remaining() <= 0.0:
            raise self.exceeded(stage)

    def exceeded(self, stage: str) -> DeadlineExceededError:
        """The error that names ``stage``, for work that can be ended in its middle."""
        return DeadlineExceededError(
            f"The analysis did not finish within {self.seconds:g} s: it stopped before '{stage}'. "
            "Send it again later, or send a smaller photo.",
            stage=stage,
            limit_s=self.seconds,
        )
