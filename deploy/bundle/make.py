"""Collects what a bundle contains: packages, wheels, models with their compiled files, and the index."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.bundle.contents import DATA, PACKAGES, REQUIREMENTS, WHEEL, BundleError, Contents, Part, platform_here
from deploy.bundle.packed import PACKING, download_wheels, needed_glibc, pack_packages
from ml.errors import ArtifactError
from ml.models.loading import models_in_use
from ml.models.registry import find
from ml.models.store import ModelStore
from settings import Settings
from storage.base import sha256_file
from web.boot import BootError, check_boot, prepare_encoder

_ROOT = Path(__file__).resolve().parents[2]
_CPU_TORCH = _ROOT / ".platform" / "hooks" / "prebuild" / "10_cpu_torch.sh"

Say = Callable[[str], None]
Files = Mapping[str, Path]


def make(settings: Settings, requirements: Path, work: Path, say: Say) -> tuple[Contents, Files]:
    """What a bundle for these settings contains, and the file of each part by its sha256.

    ``work``: the folder in which packages are prepared. Raises BundleError.
    """
    folders = data_folders(settings, say)
    pinned = cpu_requirements(requirements, work)
    # The name of the work folder is all that decides whether packages are made anew.
    own = work / f"{sha256_file(pinned)[:16]}-{sys.implementation.cache_tag}-{PACKING}"
    wheels = download_wheels(pinned, own / "wheels")
    say(f"{len(wheels)} wheels, {sum(wheel.stat().st_size for wheel in wheels) / 1e6:.0f} MB")
    archives = _packed_once(pinned, own, say)
    placed = {path.relative_to(settings.var).as_posix(): path for one in folders for path in _files_of(one)}
    chosen = [
        (REQUIREMENTS, "requirements.txt", pinned),
        *((PACKAGES, path.name, path) for path in archives),
        *((WHEEL, path.name, path) for path in wheels),
        *((DATA, name, path) for name, path in sorted(placed.items())),
    ]
    with ThreadPoolExecutor() as threads:
        digests = list(threads.map(sha256_file, (path for _, _, path in chosen)))
    parts = tuple(
        Part(kind, name, digest, path.stat().st_size)
        for (kind, name, path), digest in zip(chosen, digests, strict=True)
    )
    contents = Contents(
        platform=platform_here(glibc=needed_glibc(wheels)),
        requirements=sha256_file(requirements),
        folders=tuple(sorted(folder.relative_to(settings.var).as_posix() for folder in folders)),
        parts=parts,
    )
    return contents, dict(zip(digests, (path for _, _, path in chosen), strict=True))


def cpu_requirements(requirements: Path, work: Path) -> Path:
    """The requirements with the CPU build of torch, as the prebuild hook writes them. Raises BundleError."""
    work.mkdir(parents=True, exist_ok=True)
    target = work / "requirements.txt"
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "REQUIREMENTS": str(requirements),
        "TARGET": str(target),
        "PIP_CONF": str(work / "pip.conf"),
    }
    done = subprocess.run([str(_CPU_TORCH)], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BundleError(f"the CPU build of torch was not found: {done.stderr.strip()}")
    if (work / "pip.conf").exists():  # it names the index of CPU builds
        os.environ["PIP_CONFIG_FILE"] = str(work / "pip.conf")
    return target


def data_folders(settings: Settings, say: Say) -> list[Path]:
    """The folders of the models and of the index that these settings serve, after the service's own checks.

    Models that are missing are fetched and compiled. Raises BundleError.
    """
    fetched = subprocess.run([sys.executable, "-m", "ml", "fetch"], cwd=_ROOT, check=False)
    if fetched.returncode:
        raise BundleError("the models could not be fetched; the lines above say why")
    try:
        prepare_encoder(settings)
        chosen = check_boot(settings)
    except (ArtifactError, BootError) as error:
        raise BundleError(str(error)) from error
    index = chosen.index_folder.resolve()
    if not index.is_relative_to(settings.indexes.resolve()):
        raise BundleError(
            f"the index {index} is not below {settings.indexes}; copy it there, or serve it by its address"
        )
    say(f"index {index.name}, encoder {Path(chosen.encoder).name}")
    store = ModelStore(settings.models_dir)
    names = models_in_use(chosen.encoder, chosen.classifier, faces=chosen.faces)
    models = [store.compiled(find(name)).parent for name in names]
    return [*(folder for folder in models if folder.is_dir()), index]


def _packed_once(pinned: Path, own: Path, say: Say) -> list[Path]:
    packed, complete = own / "packages", own / "complete"
    if not complete.exists():
        pack_packages(pinned, own / "wheels", packed, say)
        complete.touch()
    return sorted(packed.glob("packages-*.tar.gz"))


def _files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
