"""The line that a person who has started the service waits for."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from settings import Settings

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not listened on


def announce(settings: Settings, host: str, port: int) -> None:
    """Say on stderr, in one line, where the service listens, and a command that tries it."""
    sys.stderr.write(ready_line(settings, host, port) + "\n")
    sys.stderr.flush()


def ready_line(settings: Settings, host: str, port: int) -> str:
    """The address, and a curl command with a photo of the sample where there is one.

    The command says what the photo is: not every generated photo looks like skin to the service."""
    host = _ANYWHERE.get(host, host)
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    photo = next(iter(sorted(_photos(settings.var))), None)
    if photo is None:
        arguments = """-X POST -H 'Content-Type: application/json' -d '{"test": "ml_capability"}'"""
    else:
        arguments = f"-F modality=close_up -F {shlex.quote(f'image=@{photo}')}"
    return f"DermServe is ready at {base} — try: curl {arguments} {base}/api/analyze/skin"


def _photos(var: Path) -> list[Path]:
    return list((var / "sample" / "dataset" / "images").glob("*.png"))
