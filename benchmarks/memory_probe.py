"""Runs in a process of its own: the memory that each stage takes for one file, as JSON. ``python -m … FILE``.

Python's own tracing does not see what libraries allocate; the kernel's high-water mark does.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")
_MIB = 2**20


def main(arguments: list[str]) -> int:
    from ml.imaging.decode import decode
    from ml.models import registry
    from ml.models.preprocess import to_batch
    from ml.skin.colour import working_copy
    from ml.skin.measure import measure_skin
    from server.memory import use_one_heap
    from settings import Settings

    use_one_heap()
    settings = Settings.load()
    data = Path(arguments[0]).read_bytes()
    peaks: dict[str, float] = {"file": len(data) / _MIB}
    photo = _peak("decode", peaks, lambda: decode(data))
    for name, kind in ((settings.encoder, "encoder"), (settings.classifier, "classifier")):
        spec = registry.find(name, kind).preprocess
        _peak(f"preprocess ({kind})", peaks, lambda spec=spec: to_batch([photo.rgb], spec))  # type: ignore[misc]
    small = _peak("working copy", peaks, lambda: working_copy(photo.rgb))
    _peak("measure", peaks, lambda: measure_skin(small))
    print(f"measured {json.dumps(peaks)}")
    return 0


def _peak(name: str, peaks: dict[str, float], action: Callable[[], _T]) -> _T:
    """Run ``action`` and write down by how many MiB the process grew at its highest."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again from here
    before = _status("VmRSS:")
    result = action()
    peaks[name] = max(0.0, _status("VmHWM:") - before)
    return result


def _status(field: str) -> float:
    line = next(text for text in Path("/proc/self/status").read_text().splitlines() if text.startswith(field))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
