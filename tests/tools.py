"""What some tests need and not every machine has: programs, packages that production does without, and a port."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
from typing import NoReturn

import pytest

#: where a system keeps its servers' programs, which not every user's PATH names
_SYSTEM = "/usr/sbin:/usr/local/sbin"


def tool_or_skip(name: str, *, must: str, skipped: str) -> str:
    """The path of the program ``name``. Without it the test is skipped, visibly, saying what is ``skipped``; in CI that
    is a failure, saying what CI ``must`` do."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SYSTEM}")
    if found is None:
        _fail_or_skip(name, must, skipped)
    return found


def free_port() -> int:
    """A port of this machine's loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def package_or_skip(name: str, *, must: str, skipped: str) -> None:
    """The same for a package that can be imported."""
    if importlib.util.find_spec(name) is None:
        _fail_or_skip(name, must, skipped)


def _fail_or_skip(name: str, must: str, skipped: str) -> NoReturn:
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"{name} is not installed; CI must {must}")
    pytest.skip(f"{name} is not installed: {skipped}")
