"""What some tests need and not every machine has: programs, packages that production does without, and a port."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import NoReturn

import pytest

#: where a system keeps its servers' programs, which not every user's PATH names
_SYSTEM = "/usr/sbin:/usr/local/sbin"


def tool_or_skip(name: str, *, must: str, skipped: str) -> str:
    """The path of the program ``name``. Without it the test is skipped, visibly, saying what is ``skipped``; in CI that
    is a failure, saying what CI ``must`` do."""
    own = Path(sys.executable).parent  # programs that a package of this environment brings
    found = shutil.which(name, path=f"{own}:{os.environ.get('PATH', '')}:{_SYSTEM}")
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


def node_program_or_skip(project: Path, name: str, *, must: str, skipped: str) -> str:
    """The same for a program that npm installs in the folder ``project``."""
    found = project / "node_modules" / ".bin" / name
    if not found.exists():
        _fail_or_skip(name, must, skipped)
    return str(found)


def _fail_or_skip(name: str, must: str, skipped: str) -> NoReturn:
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"{name} is not installed; CI must {must}")
    pytest.skip(f"{name} is not installed: {skipped}")
