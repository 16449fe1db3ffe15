"""The manifest of a bundle: what it was made for, and the name, size and sha256 of each part.

A bundle is ``<folder or s3://bucket/prefix>/dermserve-<sha256 of manifest.json>``. Its parts are beside it, in
``parts/<sha256>``, so that bundles share what is equal. The address alone therefore fixes every byte.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

FORMAT = 1
NAME = "dermserve"
MANIFEST_FILE = "manifest.json"
PARTS = "parts"

#: the kinds of parts: a tar of installed packages, a wheel, a file of a model or index, the requirements for pip
PACKAGES, WHEEL, DATA, REQUIREMENTS = "packages", "wheel", "data", "requirements"
_ADDRESS = re.compile(rf"(?P<home>.+)/(?P<name>{NAME}-(?P<digest>[0-9a-f]{{64}}))/?")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class BundleError(Exception):
    """The bundle cannot be used. The message is one line."""


@dataclass(frozen=True)
class Platform:
    """``python``: such as "3.11". ``machine``: such as "x86_64". ``glibc``: the lowest version, such as "2.34"."""

    python: str
    machine: str
    glibc: str


@dataclass(frozen=True)
class Part:
    """``path``: the file's place below DERMSERVE_VAR (data), or its name. ``size`` is in bytes."""

    kind: str
    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Contents:
    """``requirements``: the sha256 of the requirements.txt for which it was made. ``folders``: the folders below
    DERMSERVE_VAR that the data parts fill, each as a whole."""

    platform: Platform
    requirements: str
    folders: tuple[str, ...]
    parts: tuple[Part, ...]

    def of_kind(self, kind: str) -> list[Part]:
        return [part for part in self.parts if part.kind == kind]

    def in_folder(self, folder: str) -> list[Part]:
        return [part for part in self.of_kind(DATA) if part.path.startswith(f"{folder}/")]

    def to_bytes(self) -> bytes:
        """The manifest. Equal contents give equal bytes."""
        facts = {"format": FORMAT, **asdict(self)}
        return (json.dumps(facts, indent=1, sort_keys=True) + "\n").encode()


def read_contents(data: bytes, digest: str) -> Contents:
    """Raises BundleError if ``data`` does not have the sha256 ``digest``, or is of another format."""
    if hashlib.sha256(data).hexdigest() != digest:
        raise BundleError(f"its {MANIFEST_FILE} does not match the sha256 {digest[:12]}… of its address")
    try:
        facts: dict[str, Any] = json.loads(data)
        if facts.pop("format") != FORMAT:
            raise BundleError("another version of the application made it; make it again")
        parts = tuple(Part(**part) for part in facts.pop("parts"))
        contents = Contents(
            platform=Platform(**facts.pop("platform")), folders=tuple(facts.pop("folders")), parts=parts, **facts
        )
    except (ValueError, TypeError, KeyError) as error:
        raise BundleError(f"its {MANIFEST_FILE} cannot be read; make it again") from error
    for part in parts:
        _check_part(part)
    for folder in contents.folders:
        _check_path(folder)
    return contents


def split_address(address: str) -> tuple[str, str, str]:
    """(home of bundles, name, sha256 of the manifest). Raises BundleError if it is not the address of a bundle."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise BundleError(f"'{address}' is not the address of a bundle: it ends with {NAME}-<sha256>")
    return found["home"], found["name"], found["digest"]


def platform_here(glibc: str | None = None) -> Platform:
    """The platform of this interpreter. ``glibc`` replaces the machine's own version."""
    own = (os.confstr("CS_GNU_LIBC_VERSION") or "").rpartition(" ")[2] if hasattr(os, "confstr") else ""
    return Platform("{}.{}".format(*sys.version_info[:2]), platform.machine(), glibc or own)


def check_platform(wanted: Platform, here: Platform) -> None:
    """Raises BundleError if packages for ``wanted`` do not run ``here``."""
    if (wanted.python, wanted.machine) != (here.python, here.machine):
        raise BundleError(
            f"it is for Python {wanted.python} on {wanted.machine}; here is Python {here.python} on {here.machine}"
        )
    if _numbers(here.glibc) < _numbers(wanted.glibc):
        raise BundleError(f"it needs glibc {wanted.glibc}; here is {here.glibc or 'another C library'}")


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _check_part(part: Part) -> None:
    if part.kind not in (PACKAGES, WHEEL, DATA, REQUIREMENTS) or not _DIGEST.fullmatch(part.sha256):
        raise BundleError(f"its {MANIFEST_FILE} has a part that is not known: {part.path}")
    _check_path(part.path)


def _check_path(path: str) -> None:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise BundleError(f"its {MANIFEST_FILE} names a file outside its folder: {path}")
