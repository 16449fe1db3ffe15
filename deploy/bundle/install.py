"""``python -m deploy.bundle.install ADDRESS …``: what the prebuild hook runs on a new instance.

Everything that is needed is brought and verified first, then models and index are put in place, then the packages.
Exit status: 0, or 3 with one WARNING line. In that case pip and the predeploy hook work as without a bundle.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.bundle import packages
from deploy.bundle.contents import (
    PACKAGES,
    REQUIREMENTS,
    WHEEL,
    BundleError,
    Contents,
    Part,
    check_platform,
    platform_here,
    read_contents,
    sha256_of,
    split_address,
)
from deploy.bundle.place import is_in_place, place_folder
from deploy.bundle.source import open_source, verified

#: the first line of the pip configuration that this writes; hooks look for it
MARK = "# written by 05_bundle.sh"
#: exit status; not 1, with which Python ends after an error that nobody expected
_NOT_USED = 3


@dataclass(frozen=True)
class Instance:
    """What an installation changes. ``prefix``: the application's virtual environment, or None if there is none yet."""

    var: Path
    requirements: Path
    pip_conf: Path
    prefix: Path | None


def install(address: str, instance: Instance, say: Callable[[str], None]) -> None:
    """Raises BundleError, with nothing half installed, if the bundle cannot be used; OSError if a file cannot be
    written."""
    home, name, digest = split_address(address)
    work = instance.var / "bundle"
    source = open_source(home, work / "parts")
    contents = read_contents(source.manifest(name), digest)
    _check_fits(contents, instance)

    folders = {folder: contents.in_folder(folder) for folder in contents.folders}
    missing = {folder: parts for folder, parts in folders.items() if not is_in_place(instance.var, folder, parts)}
    installs = _parts_for_pip(contents, instance.prefix)
    needed = [*installs, *contents.of_kind(REQUIREMENTS), *(part for parts in missing.values() for part in parts)]
    begin = time.monotonic()
    origin = verified(source, needed)
    size = sum(part.size for part in needed) / 1e6
    say(f"{len(needed)} files ({size:.0f} MB) brought and verified in {time.monotonic() - begin:.1f} s")

    for folder, parts in missing.items():
        place_folder(instance.var, folder, parts, origin)
    say(f"in place in {instance.var}: {', '.join(folders)}")
    _give_packages(installs, instance, origin, work / "wheels", say)
    (pinned,) = contents.of_kind(REQUIREMENTS)
    _write_atomically(instance.requirements, (origin / pinned.sha256).read_bytes())
    shutil.rmtree(work / "parts", ignore_errors=True)


def _check_fits(contents: Contents, instance: Instance) -> None:
    """Raises BundleError if it is for another platform or for other requirements."""
    check_platform(contents.platform, platform_here())
    here = sha256_of(instance.requirements)
    if here not in (contents.requirements, contents.of_kind(REQUIREMENTS)[0].sha256):
        raise BundleError(f"it was made for another {instance.requirements.name}; make one for this version")
    if instance.pip_conf.exists() and MARK not in instance.pip_conf.read_text():
        raise BundleError(f"{instance.pip_conf} has settings of its own")


def _parts_for_pip(contents: Contents, prefix: Path | None) -> list[Part]:
    """Packed packages for a new environment, nothing where they are installed, and wheels otherwise."""
    packed = contents.of_kind(PACKAGES)
    if packed and prefix is not None:
        if packages.are_installed(prefix, packed):
            return []
        if packages.fits(prefix):
            return packed
    wheels = contents.of_kind(WHEEL)
    if not wheels:
        raise BundleError("it has no wheels, and the virtual environment is missing or not new")
    return wheels


def _give_packages(
    parts: list[Part], instance: Instance, origin: Path, wheelhouse: Path, say: Callable[[str], None]
) -> None:
    """Install packages, or make wheels available to pip. Then tell pip to use no registry."""
    begin = time.monotonic()
    shutil.rmtree(wheelhouse, ignore_errors=True)
    if parts and parts[0].kind == PACKAGES:
        assert instance.prefix is not None
        packages.install_packages(instance.prefix, parts, origin)
        say(f"packages unpacked into {instance.prefix} in {time.monotonic() - begin:.1f} s")
    elif parts:
        wheelhouse.mkdir(parents=True)
        for part in parts:
            shutil.copyfile(origin / part.sha256, wheelhouse / part.path)
        say(f"pip installs {len(parts)} wheels from {wheelhouse}")
    else:
        say("the packages are installed already")
    lines = [MARK, "[global]", "no-index = true", "no-cache-dir = true", f"find-links = {wheelhouse}"]
    _write_atomically(instance.pip_conf, ("\n".join(lines) + "\n").encode())


def _write_atomically(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    Path(temporary).chmod(0o644)
    Path(temporary).replace(path)


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.bundle.install", description=__doc__)
    parser.add_argument("address", help="the bundle: a folder or s3:// address that ends with dermserve-<sha256>")
    parser.add_argument("--var", type=Path, required=True, help="the folder for models and indexes")
    parser.add_argument("--requirements", type=Path, required=True, help="the requirements that pip will install")
    parser.add_argument("--pip-conf", type=Path, required=True, help="the pip configuration to write")
    options = parser.parse_args(arguments)
    prefix = Path(sys.prefix) if packages.in_environment() else None
    instance = Instance(options.var, options.requirements, options.pip_conf, prefix)
    try:
        install(options.address, instance, lambda line: print(f"bundle: {line}", flush=True))  # noqa: T201
    except (BundleError, OSError) as error:
        print(  # noqa: T201
            f"bundle: WARNING: DERMSERVE_BUNDLE is not used: {error}. "
            "Packages, models and index come from their registries instead, which takes minutes.",
            file=sys.stderr,
        )
        return _NOT_USED
    return 0


if __name__ == "__main__":
    sys.exit(main())
