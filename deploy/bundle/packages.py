"""Installs the packages of a bundle into the virtual environment of this interpreter.

The packages were installed by pip where the bundle was made, and packed as a few tar files, which are unpacked in
parallel. First everything is unpacked beside the environment. Then its files are renamed into it, each package's
metadata last, so that pip never takes a part of a package for a package.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from deploy.bundle.contents import BundleError, Part

#: the first line of scripts in a bundle, as in wheels; the environment's interpreter takes its place
SHEBANG = b"#!python"
_MARK = ".dermserve-packages"


def site_packages(prefix: Path) -> Path:
    return prefix / "lib" / "python{}.{}".format(*sys.version_info[:2]) / "site-packages"


def in_environment() -> bool:
    return sys.prefix != sys.base_prefix


def are_installed(prefix: Path, parts: Sequence[Part]) -> bool:
    """Whether exactly these packages were installed by ``install_packages``."""
    try:
        return (site_packages(prefix) / _MARK).read_text() == _digest(parts)
    except OSError:
        return False


def fits(prefix: Path) -> bool:
    """Whether the environment is new: it has nothing but pip and setuptools. pip updates any other one."""
    metadata = (path.name for path in site_packages(prefix).glob("*.dist-info"))
    return all(name.split("-")[0].lower() in ("pip", "setuptools", "wheel") for name in metadata)


def install_packages(prefix: Path, parts: Sequence[Part], origin: Path) -> None:
    """Unpack ``parts`` (tar files in ``origin``) into the environment ``prefix``. If it fails, the environment is
    unchanged. Raises BundleError."""
    work = Path(tempfile.mkdtemp(dir=prefix, prefix=".bundle-"))
    moved: list[tuple[Path, Path]] = []
    try:
        with ProcessPoolExecutor(min(len(parts), os.cpu_count() or 1)) as workers:
            problems = list(workers.map(_unpack, [origin / part.sha256 for part in parts], [work] * len(parts)))
        if reason := next(filter(None, problems), ""):
            raise OSError(reason)
        for script in (work / "bin").iterdir() if (work / "bin").is_dir() else ():
            _set_interpreter(script, prefix)
        (site_packages(work) / _MARK).write_text(_digest(parts))
        (work / "replaced").mkdir()
        for one, target in [*_replaced(work, prefix), *_moves(work, prefix)]:
            if target.exists():
                raise FileExistsError(f"{target} is there already")
            target.parent.mkdir(parents=True, exist_ok=True)
            one.rename(target)
            moved.append((one, target))
    except (OSError, BrokenExecutor) as error:
        for before, now in reversed(moved):
            now.rename(before)
        raise BundleError(f"its packages cannot be unpacked into {prefix}: {error}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _digest(parts: Sequence[Part]) -> str:
    return sha256(" ".join(part.sha256 for part in parts).encode()).hexdigest()


def _unpack(archive: Path, target: Path) -> str:
    """Returns the reason if it fails, or an empty text. Some errors of tarfile cannot be sent between processes."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            members = _in_folders(tar, target)
            if hasattr(tarfile, "data_filter"):
                tar.extractall(target, members, filter="data")
            else:  # an older Python; the archive has the sha256 that the address fixes
                tar.extractall(target, members)  # noqa: S202
    except (OSError, EOFError, tarfile.TarError) as error:
        return str(error)
    return ""


def _in_folders(tar: tarfile.TarFile, target: Path) -> Iterator[tarfile.TarInfo]:
    """The members of ``tar``, each after its folder was made. tarfile fails if another process makes the same folder at
    the same moment (Python 3.11.2, for example)."""
    for member in tar:
        (target / member.name).parent.mkdir(parents=True, exist_ok=True)
        yield member


def _set_interpreter(script: Path, prefix: Path) -> None:
    data = script.read_bytes()
    if data.startswith(SHEBANG + b"\n"):
        script.write_bytes(b"#!" + os.fsencode(prefix / "bin" / "python") + data[len(SHEBANG) :])


def _replaced(work: Path, prefix: Path) -> Iterator[tuple[Path, Path]]:
    """(file or folder, target) of what the environment has of packages that come anew, such as setuptools."""
    site = site_packages(prefix)
    new = {path.name.split("-")[0] for path in site_packages(work).glob("*.dist-info")}
    for metadata in sorted(site.glob("*.dist-info")):
        if metadata.name.split("-")[0] not in new:
            continue
        entries = {metadata}
        with suppress(FileNotFoundError):
            for line in (metadata / "RECORD").read_text().splitlines():
                path = Path(os.path.normpath(site / line.split(",")[0]))
                entries.add(site / path.relative_to(site).parts[0] if site in path.parents else path)
        for number, path in enumerate(sorted(one for one in entries if one.exists())):
            yield path, work / "replaced" / f"{metadata.name}-{number}"


def _moves(work: Path, prefix: Path) -> Iterator[tuple[Path, Path]]:
    """(new, target) of all that is moved: code, then other files, then metadata."""
    site = site_packages(work)
    entries = sorted(site.iterdir(), key=lambda path: (path.name.endswith(".dist-info"), path.name == _MARK, path.name))
    code = [path for path in entries if not path.name.endswith(".dist-info") and path.name != _MARK]
    others = [path for path in sorted(work.rglob("*")) if path.is_file() and site not in path.parents]
    for new in [*code, *others, *(path for path in entries if path not in code)]:
        yield new, prefix / new.relative_to(work)
