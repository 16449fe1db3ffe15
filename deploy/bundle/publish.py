"""Writes a bundle into a folder or S3: first the parts that are not there yet, last the manifest.

An interrupted upload therefore leaves no address that works. The next one continues where it ended.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.bundle.contents import MANIFEST_FILE, NAME, PARTS, Contents, Part
from storage.target import Target

_UPLOADS = 4


def publish(contents: Contents, files: Mapping[str, Path], target: Target, say: Callable[[str], None]) -> str:
    """Returns the address of the bundle. ``files``: sha256 of each part → its file. Raises StorageError."""

    def send(part: Part) -> int:
        name = f"{PARTS}/{part.sha256}"
        if target.size(name) == part.size:
            return 0
        target.put(name, files[part.sha256])
        return part.size

    distinct = list({part.sha256: part for part in contents.parts}.values())
    with ThreadPoolExecutor(_UPLOADS) as uploads:
        sent = list(uploads.map(send, distinct))
    manifest = contents.to_bytes()
    name = f"{NAME}-{hashlib.sha256(manifest).hexdigest()}"
    target.put(f"{name}/{MANIFEST_FILE}", manifest)
    new = sum(size > 0 for size in sent)
    say(f"{new} of {len(distinct)} files sent ({sum(sent) / 1e6:.0f} MB); the others were there")
    return f"{target.uri.rstrip('/')}/{name}"
