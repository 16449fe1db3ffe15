"""On what something was measured."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from ml.models.compiled import describe_processor
from server.threads import usable_cores

_PACKAGES = ("torch", "tensorflow-cpu", "onnxruntime", "faiss-cpu", "gunicorn", "flask", "litserve", "bentoml")


def facts() -> dict[str, Any]:
    """The machine, and the versions that took part."""
    return {
        "cpu": describe_processor()["cpu"],
        "cores": usable_cores(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": _system(),
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 2),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def name_of(machine: dict[str, Any]) -> str:
    """For a file: the processor, its cores, and the versions of the peers."""
    packages = machine["packages"]
    parts = [machine["cpu"], f"{machine['cores']}-cores"]
    parts += [f"{name}-{packages[name]}" for name in ("gunicorn", "litserve", "bentoml") if name in packages]
    return re.sub(r"[^a-z0-9.]+", "-", "-".join(parts).lower())


def _system() -> str:
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
        return next(line.partition("=")[2].strip('"') for line in lines if line.startswith("PRETTY_NAME="))
    except (OSError, StopIteration):
        return platform.platform()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
