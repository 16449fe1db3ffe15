"""What compiled files and measured times are tied to: this processor, and the packages that are installed."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
#: an engine or framework → the distributions that bring it
_DISTRIBUTIONS: Mapping[str, tuple[str, ...]] = {
    "pytorch": ("torch",),
    "tensorflow": ("tensorflow-cpu", "tensorflow"),
    "onnxruntime": ("onnxruntime",),
    "openvino": ("openvino",),
}


def installed_version(name: str) -> str | None:
    """The version of an engine or framework, without importing it; None if it is not installed."""
    for distribution in _DISTRIBUTIONS[name]:
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return None


def describe_host(cpuinfo: Path = _CPUINFO) -> dict[str, str]:
    """Architecture, processor name and a digest of its instruction sets: code compiled for one may fail on another."""
    try:
        facts = _first_processor(cpuinfo.read_text())
    except OSError:  # no such file outside Linux
        facts = {}
    flags = " ".join(sorted(facts.get("flags", facts.get("Features", "")).split()))
    return {
        "machine": platform.machine(),
        "cpu": facts.get("model name", platform.processor() or "unknown"),
        "instructions": hashlib.sha256(flags.encode()).hexdigest()[:16],
    }


def _first_processor(text: str) -> dict[str, str]:
    lines = text.split("\n\n", 1)[0].splitlines()
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
