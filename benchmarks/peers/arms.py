"""The servers that are compared: how each is started, and where it takes a photo.

Tuned servers share one plan: as many processes as physical cores, one thread of computing in each, OpenMP that does
not spin, and no more requests at once than can be answered within most of the SLO, where a server has such a limit.
"Defaults" start as the server's own first example does, with as many threads as the frameworks take by themselves.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import ANALYZE
from benchmarks.outcomes import SLO_S
from benchmarks.peers.core import KIND, Kind
from benchmarks.service import ROOT, gunicorn
from server.threads import thread_environment, usable_cores
from settings import Settings

OURS = "dermserve"
#: how much of the SLO the requests that a server holds may take
_SHARE_OF_SLO = 0.8
_LONGEST_WAIT_S = 1.0
_FEWEST_INSIDE = 8
_SPARE_THREADS = 2


@dataclass(frozen=True)
class Plan:
    """How a server is set up: ``inside`` requests at once in all its ``processes``; ``engine`` runs the models."""

    kind: Kind
    engine: str
    processes: int
    inside: int


@dataclass(frozen=True)
class Arm:
    """One way to serve. ``command`` may hold ``{port}``, ``{processes}`` and ``{threads}``."""

    name: str
    label: str
    command: tuple[str, ...]
    path: str = "/answer"
    ready: str = "/health"
    tuned: bool = True


_PYTHON = sys.executable
_BIN = Path(sys.executable).parent
# an empty configuration: without one gunicorn would read this repository's own
_GTHREAD = ("--config", os.devnull, "--workers", "{processes}", "--worker-class", "gthread", "--threads", "{threads}")

ARMS = {
    arm.name: arm
    for arm in (
        Arm(OURS, "DermServe", (), ANALYZE, "/health/ready"),
        Arm(
            "gthread",
            "gunicorn gthread, no admission",
            (
                f"{_BIN}/gunicorn",
                *_GTHREAD,
                "--timeout",
                "120",
                "--bind",
                "127.0.0.1:{port}",
                "benchmarks.peers.core:create_flask()",
            ),
        ),
        Arm("flask", "Flask's own server, defaults", (_PYTHON, "-m", "benchmarks.peers.core"), tuned=False),
        Arm("litserve", "LitServe, tuned", (_PYTHON, "-m", "benchmarks.peers.litserve_app")),
        Arm("litserve-defaults", "LitServe, defaults", (_PYTHON, "-m", "benchmarks.peers.litserve_app"), tuned=False),
        Arm(
            "bentoml",
            "BentoML, tuned",
            (f"{_BIN}/bentoml", "serve", "benchmarks.peers.bentoml_app:PhotoService", "--port", "{port}"),
            ready="/readyz",
        ),
        Arm(
            "bentoml-defaults",
            "BentoML, defaults",
            (f"{_BIN}/bentoml", "serve", "benchmarks.peers.bentoml_app:PhotoService", "--port", "{port}"),
            ready="/readyz",
            tuned=False,
        ),
    )
}


def inside_for(limit_per_s: float) -> int:
    """Requests that can be held at once and still be answered in time, at ``limit_per_s``."""
    return max(_FEWEST_INSIDE, math.floor(_SHARE_OF_SLO * SLO_S * limit_per_s))


def command(arm: Arm, plan: Plan, port: int) -> list[str]:
    """The arm's command line."""
    if arm.name == OURS:
        # What production runs; for the search alone, the same application around another analyzer.
        production = plan.kind is Kind.ANALYSIS
        return gunicorn("application:application" if production else "benchmarks.peers.core:create_ours()")
    values = {"port": port, "processes": plan.processes, "threads": _threads(plan)}
    return [part.format(**values) for part in arm.command]


def environment(plan: Plan, scratch: Path, *, tuned: bool = True, arm: str = "", port: int = 0) -> dict[str, str]:
    """The whole environment of a server, or of the in-process limit."""
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "DERMSERVE_VAR": os.environ.get("DERMSERVE_VAR", str(ROOT / "var")),
        "DERMSERVE_ENGINE": plan.engine,
        KIND: plan.kind.value,
        "BENCH_PORT": str(port),
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(scratch / "bentoml"),
        "GUNICORN_WORKERS": str(plan.processes),
        "MAX_WORKERS": str(plan.processes),
    }
    if not tuned:
        return {**variables, "DERMSERVE_INTRA_OP_THREADS": str(os.cpu_count() or 1)}
    variables |= {"DERMSERVE_INTRA_OP_THREADS": "1", **_one_thread()}
    variables |= {
        "BENCH_TUNED": "1",
        "BENCH_PROCESSES": str(plan.processes),
        "BENCH_INSIDE": str(plan.inside),
        "BENCH_QUEUE_S": f"{_SHARE_OF_SLO * SLO_S:g}",
    }
    if arm == OURS:
        variables |= {"PORT": str(port), "GUNICORN_THREADS": str(_threads(plan)), "DERMSERVE_STOP_DELAY_S": "0"}
        # no access log, like the peers; and a wait after which most of the SLO is left for the analysis itself
        variables |= {"DERMSERVE_LOG_LEVEL": "WARNING", "DERMSERVE_LONGEST_WAIT_S": f"{_LONGEST_WAIT_S:g}"}
    return variables


def plan_for(kind: Kind, engine: str, limit_per_s: float = 0.0) -> Plan:
    """The tuned plan of this machine."""
    return Plan(kind, engine, processes=usable_cores(), inside=inside_for(limit_per_s))


def _threads(plan: Plan) -> int:
    """Of one gunicorn worker."""
    return math.ceil(plan.inside / plan.processes) + _SPARE_THREADS


def _one_thread() -> Mapping[str, str]:
    return thread_environment(Settings(intra_op_threads=1))
