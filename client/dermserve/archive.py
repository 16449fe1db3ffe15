"""The folder of ``--out``: for each case the answer, a report and the overlays. What is there is not sent again."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from .models import AnalysisAnswer
from .report import report

ANSWER, REPORT = "answer.json", "report.html"


class Archive:
    """The folder. A case's own folder is named after its first photo and a digest of its photos and its request."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, stem: str, photos: Sequence[bytes], fields: Mapping[str, object]) -> Path:
        """The folder of the case with these ``photos`` and ``fields``."""
        digest = hashlib.sha256(json.dumps(fields, sort_keys=True, default=str).encode())
        for photo in photos:
            digest.update(hashlib.sha256(photo).digest())
        return self._folder / f"{safe(stem) or 'photo'}-{digest.hexdigest()[:10]}"

    def load(self, place: Path) -> AnalysisAnswer | None:
        """The answer that was saved in ``place``; None if there is none, or only a part of one."""
        try:
            return AnalysisAnswer.of(json.loads((place / ANSWER).read_text(encoding="utf-8")))
        except (OSError, ValueError):  # pydantic's errors are ValueErrors
            return None

    def save(self, place: Path, name: str, photos: Sequence[bytes], answer: AnalysisAnswer) -> None:
        """Write everything about a case. The answer comes last, so that a case that was interrupted is sent again."""
        place.mkdir(parents=True, exist_ok=True)
        overlays = answer.overlays or []
        names = [overlay.name for overlay in overlays]
        for overlay in overlays:
            region = overlay.region if names.count(overlay.name) > 1 else None
            stem = "-".join(safe(part) for part in (overlay.name, region) if part)
            (place / f"{stem or 'overlay'}.png").write_bytes(base64.b64decode(overlay.data_base64))
        (place / REPORT).write_text(report(name, photos[0], answer), encoding="utf-8")
        written = place / f"{ANSWER}.part"
        written.write_text(json.dumps(answer.raw, ensure_ascii=False, indent=1), encoding="utf-8")
        written.replace(place / ANSWER)


def safe(text: str) -> str:
    """``text`` as a part of a file name: the service cannot choose another folder."""
    return re.sub(r"[^\w.]+", "_", text).strip(".")
