"""Makes the packages of a bundle: a wheelhouse, and the same packages installed by pip and packed as tar files.

The same wheels give the same bytes.
"""

from __future__ import annotations

import compileall
import gzip
import heapq
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from deploy.bundle.contents import BundleError
from deploy.bundle.packages import SHEBANG, site_packages

#: what decides, besides requirements and interpreter, whether packages are packed anew: raise it with this file
PACKING = 2
#: tar files, which a new instance unpacks in parallel
SHARDS = 8
_LEVEL = 6
#: the tags of wheels, and the glibc that the older names stand for (PEP 600)
_GLIBC = re.compile(r"manylinux_(\d+)_(\d+)_")
_OLD_TAGS = {"manylinux2014": (2, 17), "manylinux2010": (2, 12), "manylinux1": (2, 5)}
#: in RECORD, the lines of C++ headers
_HEADER_IN_RECORD = re.compile(r"^[^/,]+/include/.*\n", re.MULTILINE)
#: in RECORD, scripts have the hash of the place where they were installed
_SCRIPT_IN_RECORD = re.compile(r"^(\.\./\.\./\.\./bin/[^,]+),[^,]*,\d*$", re.MULTILINE)


def download_wheels(requirements: Path, folder: Path) -> list[Path]:
    """Download the pinned wheels for this interpreter, by their hashes, from pip's configured registries.

    Raises BundleError with pip's reason.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = ["--find-links", str(folder)]
    _pip("download", "--no-deps", "--only-binary=:all:", *known, "--dest", str(folder), "-r", str(requirements))
    return sorted(folder.glob("*.whl"))


def needed_glibc(wheels: Sequence[Path]) -> str:
    """The lowest version of glibc on which all ``wheels`` run. A wheel may have several tags; the lowest counts."""
    return ".".join(map(str, max((_glibc_of(wheel.stem.split("-")[-1]) for wheel in wheels), default=(2, 0))))


def _glibc_of(tag: str) -> tuple[int, int]:
    found = [(int(major), int(minor)) for major, minor in _GLIBC.findall(tag)]
    found += [version for old, version in _OLD_TAGS.items() if f"{old}_" in tag]
    return min(found, default=(2, 0))


def pack_packages(requirements: Path, wheels: Path, folder: Path, say: Callable[[str], None]) -> list[Path]:
    """Install ``requirements`` from the wheelhouse into an environment below ``folder``, and pack it.

    Raises BundleError with pip's reason.
    """
    tree = folder / "environment"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tree)], check=True)
    empty, site = _files(tree), site_packages(tree)
    say("pip installs the wheels")
    offline = ["--no-index", "--find-links", str(wheels), "--no-compile"]
    _pip("install", *offline, "-r", str(requirements), python=tree / "bin" / "python")
    # C++ headers are a third of all files. Nothing compiles C++ on an instance.
    for headers in site.glob("*/include"):
        shutil.rmtree(headers)
    for record in site.glob("*.dist-info/RECORD"):
        text = _HEADER_IN_RECORD.sub("", record.read_text())
        record.write_text(_SCRIPT_IN_RECORD.sub(r"\1,,", text))
    say("Python compiles the packages")
    # Bytecode that is valid whatever the times of its files are. Some packages have files for other versions of Python;
    # these stay without, as after pip.
    valid = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(str(site), quiet=2, workers=0, stripdir=str(site), invalidation_mode=valid)
    files = sorted(_files(tree) - empty)
    for script in files:
        if script.parent == tree / "bin":
            _set_shebang(script, tree)
    say(f"{len(files)} files are packed into {SHARDS} parts")
    groups = _balanced(files, SHARDS)
    archives = [folder / f"packages-{number}.tar.gz" for number in range(len(groups))]
    with ProcessPoolExecutor() as workers:
        list(workers.map(_pack, archives, groups, [tree] * len(groups)))
    shutil.rmtree(tree)
    return archives


def _pip(command: str, *options: str, python: Path | None = None) -> None:
    """Run pip, for the environment of ``python`` or else for this interpreter."""
    into = ["--python", str(python)] if python else []
    words = [sys.executable, "-m", "pip", *into, command, "--quiet", "--require-hashes", *options]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        reasons = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or [done.stderr.strip()]
        raise BundleError(f"pip {command} failed: {reasons[-1].removeprefix('ERROR: ')}")


def _files(tree: Path) -> set[Path]:
    return {path for path in tree.rglob("*") if path.is_file() and tree / "lib64" not in path.parents}


def _set_shebang(script: Path, tree: Path) -> None:
    data = script.read_bytes()
    if data.startswith(b"#!" + os.fsencode(tree / "bin" / "python")):
        script.write_bytes(SHEBANG + data[data.index(b"\n") :])


def _balanced(files: Sequence[Path], number: int) -> list[list[Path]]:
    """Groups of about the same size in bytes."""
    heap: list[tuple[int, int]] = [(0, group) for group in range(number)]
    groups: list[list[Path]] = [[] for _ in range(number)]
    for path in sorted(files, key=lambda one: (-one.lstat().st_size, one)):
        size, group = heapq.heappop(heap)
        groups[group].append(path)
        # A small file costs time, too: about as much as 100 kB.
        heapq.heappush(heap, (size + path.lstat().st_size + 100_000, group))
    return [sorted(group) for group in groups if group]


def _pack(archive: Path, files: Sequence[Path], tree: Path) -> None:
    with (
        archive.open("wb") as sink,
        gzip.GzipFile("", "wb", _LEVEL, sink, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for path in files:
            entry = tar.gettarinfo(path, path.relative_to(tree).as_posix())
            entry.uid = entry.gid = entry.mtime = 0
            entry.mode = 0o755 if entry.mode & 0o100 else 0o644  # whatever the umask is where it is made
            entry.uname = entry.gname = ""
            if entry.isreg():
                with path.open("rb") as file:
                    tar.addfile(entry, file)
            else:
                tar.addfile(entry)
