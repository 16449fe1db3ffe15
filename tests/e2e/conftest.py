"""A real gunicorn with the real models, started once for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.rehearsal_fixture import rehearsal  # noqa: F401 - a fixture of this folder
from tests.e2e.server import REPOSITORY, Server, running_server


@pytest.hookimpl(tryfirst=True)  # before the runner reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests on one worker of the runner: they share one server."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group("e2e"))
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def var_folder() -> Path:
    """Models and sample index. Their absence is a failure: every test here is about them."""
    var = Path(os.environ.get("DERMSERVE_VAR", REPOSITORY / "var"))
    if not (var / "index" / "sample" / "manifest.json").is_file():
        pytest.fail("the models and the sample index are not here; run: make artifacts", pytrace=False)
    return var


@pytest.fixture(scope="session")
def server(var_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running service, ready."""
    with running_server(var_folder, tmp_path_factory.mktemp("server")) as running:
        yield running
