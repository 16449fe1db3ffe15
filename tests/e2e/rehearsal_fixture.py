"""One rehearsal environment for all tests that deploy: starting it is what costs."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from deploy.rehearsal.progress import Progress, RehearsalError
from deploy.rehearsal.rehearsal import Rehearsal, RehearsalOptions, running_rehearsal


@pytest.fixture(scope="session")
def rehearsal() -> Iterator[Rehearsal]:
    """An environment with the working tree deployed, its packages taken from this interpreter's environment."""
    try:
        with running_rehearsal(RehearsalOptions(working_tree=True, installed=True), Progress()) as running:
            done = running.deploy("the first version")
            assert done.status == 0, done.output
            yield running
    except RehearsalError as error:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"the deployment must be rehearsed in CI: {error}")
        pytest.skip(f"the deployment is not rehearsed: {error}")
