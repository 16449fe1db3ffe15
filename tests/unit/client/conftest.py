"""A scripted service for the client's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.client.scripted_service import Script, scripted_service


@pytest.fixture
def service() -> Iterator[Script]:
    with scripted_service(Script()) as script:
        yield script
