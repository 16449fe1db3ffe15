"""Random streams: each case and purpose has its own, so that no order of work changes any byte."""

from __future__ import annotations

import hashlib
from enum import IntEnum

import numpy as np

from scin.synthetic.values import GENERATOR_VERSION


class Purpose(IntEnum):
    """What a stream is for; a new purpose takes a new number, and the others keep their draws."""

    ORDER = 0
    CASE = 1
    VIEWS = 2
    RATERS = 3
    ANSWERS = 4
    SKIN = 5
    LESIONS = 6
    PHOTO = 7


def stream(seed: int, purpose: Purpose, *path: int) -> np.random.Generator:
    """The generator of one purpose; `path` (case, view…) tells its uses apart."""
    key = (GENERATOR_VERSION, int(purpose), *path)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy=seed, spawn_key=key)))


def signed_id(seed: int, *path: int) -> str:
    """A signed 64-bit number as SCIN's ids are, written in decimal."""
    text = "/".join(str(part) for part in ("synthetic", GENERATOR_VERSION, seed, *path))
    return str(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True))
