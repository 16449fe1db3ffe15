"""The report as text and as JSON: measurements, the specification's expectations and the recommendation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from deploy.sizing.measure import Measured
from deploy.sizing.plan import (
    CPU_TARGET,
    EXPECTED_MB,
    EXPECTED_TOTALS_GB,
    MEMORY_TARGET,
    PINNED,
    SYSTEM_MB,
    Choice,
    Load,
    index_mb,
)


def as_json(measured: Measured, load: Load, best: Choice | None, choices: tuple[Choice, ...]) -> dict[str, Any]:
    """The whole report. The names contain the units."""
    return {
        "measured": asdict(measured),
        "load": asdict(load),
        "expected_mb": dict(EXPECTED_MB),
        "expected_totals_gb": dict(EXPECTED_TOTALS_GB),
        "recommended": asdict(best) if best else None,
        "considered": [asdict(choice) for choice in choices],
    }


def as_text(measured: Measured, load: Load, best: Choice | None, choices: tuple[Choice, ...]) -> str:
    """The tables and the recommendation as text."""
    return "\n".join(
        [*_parts(measured, load), "", *_worker(measured), "", *_choices(load, choices), "", *_advice(best, load)]
    )


def _parts(measured: Measured, load: Load) -> Iterator[str]:
    yield "measured on: " + ", ".join(f"{name} {value}" for name, value in measured.host.items())
    yield "each part in its own process (frameworks: memory added by the import; models: added by loading and one use)"
    yield f"{'part':28} {'measured MB':>12} {'seconds':>8} {'specification MB':>17}"
    yield f"{'python':28} {measured.python_mb:12.0f} {'':8} {EXPECTED_MB['python']:>17}"
    for part in (*measured.imports, *measured.models):
        yield f"{part.name:28} {part.mb:12.0f} {part.seconds:8.1f} {EXPECTED_MB.get(part.name, '–'):>17}"
    yield f"{measured.index.name:28} {measured.index.mb:12.0f} {measured.index.seconds:8.1f} {'–':>17}"
    name = f"index of {load.index_vectors:,} vectors"
    yield f"{name:28} {index_mb(measured, load.index_vectors):12.0f} {'':8} {EXPECTED_MB['index']:>17}"


def _worker(measured: Measured) -> Iterator[str]:
    worker = measured.worker
    yield (
        f"one loaded worker: {worker.private_mb:.0f} MB private, {worker.shared_mb:.0f} MB shared with the other "
        f"(PSS {worker.pss_mb:.0f} MB), ready after {worker.load_s:.1f} s"
    )
    yield (
        f"one request (a photo of {worker.photo_mb:.1f} MB): {worker.request_peak_mb:.0f} MB more at the peak, "
        f"{worker.request_s:.2f} s, {worker.request_cpu_s:.2f} s of CPU"
    )
    totals = ", ".join(f"{name} {gb} GB" for name, gb in EXPECTED_TOTALS_GB.items())
    yield f"the specification's totals: {totals}, including {SYSTEM_MB:.0f} MB (not measured) for the system"


def _choices(load: Load, choices: tuple[Choice, ...]) -> Iterator[str]:
    yield (
        f"for {load.requests_per_minute:g} photos per minute and {load.index_vectors:,} vectors, at most "
        f"{MEMORY_TARGET:.0%} of memory and {CPU_TARGET:.0%} of CPU in use (physical cores, as fast as here), "
        f"while {load.spare_instances} of the instances may fail:"
    )
    heads = f"{'instance':12} {'GB used':>12} {'workers × threads':>18} {'parallel':>8} {'per minute':>10}"
    yield f"{heads} {'number':>7} {'$/month':>8}"
    for choice in choices:
        gb = f"{choice.memory_gb:.1f} of {choice.instance.memory_gb}"
        shape = f"{choice.workers} × {choice.threads}"
        line = f"{choice.instance.name:12} {gb:>12} {shape:>18} {choice.analyses_at_once:8}"
        line += f" {choice.requests_per_minute:10.0f} {choice.instances:7} {choice.dollars_a_month:8}"
        yield f"{line}  {choice.objection or ''}".rstrip()


def _advice(best: Choice | None, load: Load) -> Iterator[str]:
    if best is None:
        yield "no instance type is suitable: raise MaxSize in .ebextensions/20-scaling.config, or lower the load"
        return
    yield (
        f"recommended: {best.instances} × {best.instance.name}, ${best.dollars_a_month} per month: "
        f"MAX_WORKERS={best.analyses_at_once} GUNICORN_WORKERS={best.workers} GUNICORN_THREADS={best.threads} "
        f"MinSize={1 + load.spare_instances}"
    )
    if load.spare_instances == 0:
        yield "with no spare instance, the failure of one interrupts the service or leaves too few for the load"
    if best.instance.name != PINNED:
        yield (
            f".ebextensions sets the specification's minimum, {PINNED}, which costs more and leaves room for growth. "
            "Prices exclude load balancer, disk and traffic"
        )
