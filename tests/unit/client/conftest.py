"""A scripted service for the client's tests, both clients behind one function, and a clock."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Protocol

import anyio
import pytest
from dermserve import AsyncClient, Client

from tests.unit.client.scripted_service import Script, scripted_service


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    async def wait_async(self, seconds: float) -> None:
        self.wait(seconds)


class Ask(Protocol):
    """Calls ``method`` of a new client of the service at ``url``, and closes it."""

    def __call__(
        self, url: str, method: str, *arguments: object, options: dict[str, Any] | None = None, **fields: object
    ) -> Any: ...


def _ask(url: str, method: str, *arguments: object, options: dict[str, Any] | None = None, **fields: object) -> Any:
    with Client(url, **options or {}) as client:
        return getattr(client, method)(*arguments, **fields)


def _ask_async(
    url: str, method: str, *arguments: object, options: dict[str, Any] | None = None, **fields: object
) -> Any:
    async def ask() -> Any:
        async with AsyncClient(url, **options or {}) as client:
            return await getattr(client, method)(*arguments, **fields)

    return anyio.run(ask)


@pytest.fixture
def service() -> Iterator[Script]:
    with scripted_service(Script()) as script:
        yield script


@pytest.fixture(params=[_ask, _ask_async], ids=["Client", "AsyncClient"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Either client."""
    chosen: Ask = request.param
    return chosen


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What the retry policy, and nothing else, takes for the time."""
    made = Clock()
    monkeypatch.setattr("tenacity.time", SimpleNamespace(monotonic=made))
    monkeypatch.setattr("dermserve.retries.time", SimpleNamespace(sleep=made.wait))
    monkeypatch.setattr("dermserve.retries.anyio", SimpleNamespace(sleep=made.wait_async))
    return made
