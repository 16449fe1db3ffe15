"""pip settings of an instance, and reuse of installed packages in its virtual environment."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_SITE = Path("lib", f"python{sys.version_info.major}.{sys.version_info.minor}", "site-packages")
#: sections of pip's configuration; later ones override earlier ones
_SECTIONS = ("global", "install", ":env:")
#: variables that pip needs besides its own
_INHERITED = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "TORCH_INDEX",
)


def current_virtual_environment() -> Path | None:
    """The virtual environment of this interpreter, or None."""
    return Path(sys.prefix) if sys.prefix != sys.base_prefix else None


def seed(venv: Path, origin: Path) -> None:
    """Make the packages and commands of the environment ``origin`` available in the new ``venv``.

    pip treats matching packages as installed. It installs all others into ``venv`` and never changes ``origin``.
    """
    (venv / _SITE / "seed.pth").write_text(f"import site; site.addsitedir({str(origin / _SITE)!r})\n")
    for script in (origin / "bin").iterdir():
        if script.is_file() and not script.is_symlink() and not (venv / "bin" / script.name).exists():
            _copy_script(script, venv / "bin" / script.name, str(origin), str(venv))


def _copy_script(script: Path, target: Path, old: str, new: str) -> None:
    data = script.read_bytes()
    if data.startswith(b"#!"):
        data = data.replace(old.encode(), new.encode(), 1)
    target.write_bytes(data)
    shutil.copymode(script, target)


def pip_environment(cache: Path, written: Path | None = None) -> dict[str, str]:
    """The caller's pip settings as environment variables, because pip runs with another HOME.

    ``written`` is a configuration file that a hook wrote. Its extra index is added to the caller's.
    """
    env = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    env |= pip_settings(None)
    if written is not None and written.exists():
        for name, value in pip_settings(written).items():
            joined = f"{env[name]} {value}" if name == "PIP_EXTRA_INDEX_URL" and name in env else value
            env[name] = joined
    env |= {"PIP_CACHE_DIR": str(cache), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    return env


def pip_settings(file: Path | None) -> dict[str, str]:
    """{PIP_NAME: value} from `pip config list`, for the caller or for one file only."""
    env: Mapping[str, str] = os.environ
    if file is not None:
        env = {"PATH": os.environ["PATH"], "HOME": str(file.parent), "PIP_CONFIG_FILE": str(file)}
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], env=env, capture_output=True, text=True, check=False
    )
    values: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in done.stdout.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in values:
            values[section][f"PIP_{name.upper().replace('-', '_')}"] = " ".join(shlex.split(value))
    return {name: value for section in _SECTIONS for name, value in values[section].items()}
