"""One rehearsal environment for all tests that deploy, because starting it takes long."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from deploy.rehearsal.progress import Progress, RehearsalError
from deploy.rehearsal.rehearsal import Rehearsal, RehearsalOptions, running_rehearsal


@pytest.fixture(scope="session")
def rehearsal() -> Iterator[Rehearsal]:
    """A rehearsal environment, created from the working tree, using the packages of this interpreter."""
    try:
        with running_rehearsal(RehearsalOptions(working_tree=True, installed=True), Progress()) as running:
            done = running.create()
            assert done.status == 0, done.output
            yield running
    except RehearsalError as error:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"CI must rehearse the deployment: {error}")
        pytest.skip(f"the deployment cannot be rehearsed: {error}")
