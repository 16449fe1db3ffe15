"""``python -m ml bench``: how fast each engine is on this host, and what a process that loads by it takes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ml.engines.agreement import describe
from ml.engines.host import describe_host, installed_version
from ml.engines.prepare import CHILD_ENVIRONMENT, ROOT, installed_engines, measure
from ml.engines.record import NATIVE, EngineResult
from ml.errors import ArtifactError
from ml.models.runtime import BATCH_SIZES
from ml.models.spec import ModelSpec
from ml.models.store import ModelStore

_MIB = 2**20


def speed_table(store: ModelStore, spec: ModelSpec, *, threads: int = 1) -> str:
    """A Markdown table of median milliseconds for each photo; each engine beside the native one that it took turns
    with. Raises ArtifactError and OSError."""
    sizes = " | ".join(f"batch {size}" for size in BATCH_SIZES)
    lines = [
        f"{spec.name} {spec.version}: ms a photo, {threads} thread(s), {describe_host()['cpu']}",
        "",
        f"| engine | {sizes} | gain with one | differs at most by |",
        "|---|" + "---|" * (len(BATCH_SIZES) + 2),
    ]
    for name, result in measure(store, spec, threads=threads).items():
        lines += _rows(spec, name, result)
    return "\n".join([*lines, ""])


def _rows(spec: ModelSpec, name: str, result: EngineResult) -> list[str]:
    if result.problem is not None:
        return [f"| {name} {result.version} | " + " | " * len(BATCH_SIZES) + f" | {result.problem} |"]
    native = " | ".join(f"{result.native_ms_per_photo[size]:.1f}" for size in BATCH_SIZES)
    own = " | ".join(f"{result.ms_per_photo[size]:.1f}" for size in BATCH_SIZES)
    gain = result.native_ms_per_photo[1] / result.ms_per_photo[1]
    return [
        f"| {NATIVE}: {spec.framework} {installed_version(spec.framework)} | {native} | | |",
        f"| {name} {result.version} | {own} | {gain:.2f} × | {describe(result.differences)} |",
    ]


def process_table(store: ModelStore, encoder: str, classifier: str) -> str:
    """A Markdown table of what the second of two processes takes that load all models and analyse three photos:
    seconds until loaded, and memory. Uses what was prepared. Raises ArtifactError."""
    arms = [(NATIVE, True), *((name, mmap) for name in installed_engines() for mmap in (True, False))]
    lines = [
        "The second of two processes with all models, after three photos:",
        "",
        "| engine | weights | seconds to load | of its own (USS), MB | shared fairly (PSS), MB |",
        "|---|---|---|---|---|",
    ]
    for engine, mmap in arms:
        seconds, private, proportional = _second(store, encoder, classifier, engine, mmap)
        weights = "" if engine == NATIVE else "mapped" if mmap else "copied"
        lines.append(f"| {engine} | {weights} | {seconds:.1f} | {private:.0f} | {proportional:.0f} |")
    return "\n".join(lines)


def _second(store: ModelStore, encoder: str, classifier: str, engine: str, mmap: bool) -> tuple[float, float, float]:
    """(seconds to load, USS, PSS) of a process beside one of its kind; MiB."""
    command = ["-m", "ml.engines.footprint", str(store.root.resolve()), encoder, classifier, engine, str(int(mmap))]
    with ExitStack() as both:
        for _ in range(2):
            process = both.enter_context(_started([sys.executable, *command]))
            line = process.stdout.readline() if process.stdout else ""
            if not line.startswith("loaded "):
                raise ArtifactError(f"the models could not be loaded by {engine}: {_last_line(process)}")
        private, proportional = _memory(process.pid)
    return float(line.split()[1]), private, proportional


@contextmanager
def _started(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that lives as long as the block."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=CHILD_ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _last_line(process: subprocess.Popen[str]) -> str:
    process.kill()
    lines = (process.stderr.read() if process.stderr else "").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _memory(pid: int) -> tuple[float, float]:
    facts: dict[str, float] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, amount = line.split()[:2]
        facts[name] = int(amount) * 1024 / _MIB
    return facts["Private_Clean:"] + facts["Private_Dirty:"], facts["Pss:"]
