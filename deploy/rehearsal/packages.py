"""The instance's virtual environment: made as the platform does, but it may borrow packages that are already here."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_SITE = Path("lib", f"python{sys.version_info.major}.{sys.version_info.minor}", "site-packages")
#: of pip's settings, the strongest last
_SECTIONS = ("global", "install", ":env:")
#: what a package install may need of the caller's environment beside pip's own variables
_PASSED_ON = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "TORCH_INDEX",
)


def this_interpreters_packages() -> Path | None:
    """The environment that runs the rehearsal, if it is a virtual one."""
    return Path(sys.prefix) if sys.prefix != sys.base_prefix else None


def seed(venv: Path, origin: Path) -> None:
    """Let the fresh ``venv`` find the packages of the environment ``origin``, and have its commands.

    pip takes them for installed where they are what is asked for; anything else it installs into ``venv`` itself,
    and it never changes ``origin``.
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
    """The caller's registry settings, as variables, for a pip that does not see the caller's HOME.

    ``written`` is the configuration that a hook wrote; its extra index is added to the caller's.
    """
    env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    env |= _configured(None)
    if written is not None and written.exists():
        for name, value in _configured(written).items():
            joined = f"{env[name]} {value}" if name == "PIP_EXTRA_INDEX_URL" and name in env else value
            env[name] = joined
    env |= {"PIP_CACHE_DIR": str(cache), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    return env


def _configured(file: Path | None) -> dict[str, str]:
    """{PIP_NAME: value} of what `pip config list` says, for the caller or for one file alone."""
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
