"""The photos of a command: files, folders and standard input, grouped into cases, and the result of each case."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ClientError, RefusedError, UnknownAnswerError
from .models import AnalysisAnswer

STDIN = Path("-")
_FORMATS = ("jpg", "jpeg", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff", "mpo", "heic", "heif", "avif", "dcm")
SUFFIXES = frozenset(f".{name}" for name in _FORMATS)
DONE, REFUSED, CANNOT, NO_ANSWER = range(4)
#: exit status → what happened to a case
STATUSES = {DONE: "analysed", REFUSED: "refused", CANNOT: "unreadable", NO_ANSWER: "unanswered"}

#: error → its code, where the service sent none
_CODES = {OSError: "unreadable_file", UnknownAnswerError: "unknown_answer"}


@dataclass(frozen=True)
class Case:
    """One to three photos of the same skin. ``-`` is the photo on standard input."""

    photos: tuple[Path, ...]

    @property
    def name(self) -> str:
        return ", ".join("standard input" if photo == STDIN else str(photo) for photo in self.photos)

    @property
    def stem(self) -> str:
        """The name of its first photo, for files about it."""
        return "stdin" if self.photos[0] == STDIN else self.photos[0].stem

    def read(self) -> tuple[bytes, ...]:
        """The bytes of its photos. Raises OSError."""
        return tuple(sys.stdin.buffer.read() if photo == STDIN else photo.read_bytes() for photo in self.photos)


@dataclass(frozen=True)
class Result:
    """What came of a case: an ``answer``, or an ``error``."""

    case: Case
    answer: AnalysisAnswer | None = None
    error: ClientError | OSError | None = None

    @property
    def status(self) -> int:
        """Its exit status."""
        if self.error is None:
            return DONE
        if isinstance(self.error, OSError):
            return CANNOT
        return REFUSED if isinstance(self.error, RefusedError) else NO_ANSWER

    @property
    def body(self) -> Mapping[str, Any]:
        """The service's own JSON, answer or error, or an object of the same form as its errors."""
        if self.answer is not None:
            return self.answer.raw
        if isinstance(self.error, ClientError) and self.error.code:
            return self.error.body
        code = next((code for kind, code in _CODES.items() if isinstance(self.error, kind)), "unreachable")
        return {"success": False, "error": {"code": code, "message": str(self.error), "details": {}}}


def find(paths: Iterable[Path]) -> Iterator[Path]:
    """The given files, and all photos (by suffix) in and below the given folders, sorted by name.

    Raises FileNotFoundError for a path that does not exist, and for a folder without photos.
    """
    for path in paths:
        if path == STDIN:
            yield path
            continue
        if not path.exists():
            raise FileNotFoundError(f"There is no file {path}.")
        if not path.is_dir():
            yield path
            continue
        inside = sorted(file for file in path.rglob("*") if file.is_file() and file.suffix.lower() in SUFFIXES)
        if not inside:
            raise FileNotFoundError(f"There is no photo in {path} ({', '.join(sorted(SUFFIXES))}).")
        yield from inside
