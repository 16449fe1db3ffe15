"""What the comparison must show, as ratios of numbers that were taken in one run; and the results as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.outcomes import SLO_S, median
from benchmarks.peers.arms import OURS

CLIENTS = 8
OVERLOAD = 4.0
CROWD = f"{CLIENTS} clients"
FULL = f"{OVERLOAD:g} × the limit"
TUNED_PEERS = ("litserve", "bentoml")
DEFAULT_PEERS = ("flask", "litserve-defaults", "bentoml-defaults")
_COLUMNS = (
    "server",
    "ready s",
    "idle cores",
    "PSS MB",
    "1 client p50 ms",
    f"{CLIENTS} clients ok/s (range)",
    "of the limit",
    "p99 s",
    "CPU s/photo",
    f"{OVERLOAD:g}×: good/s",
    "p99 s",
    "503",
    "other",
    "none",
)

Tracks = Mapping[str, dict[str, Any]]


def cell(arm: Mapping[str, Any], name: str, number: str) -> float | None:
    """The median of one number of one cell over the rounds."""
    return median(run.get(number) for run in arm["cells"].get(name, []))


@dataclass(frozen=True)
class Gate:
    """``value`` must be at least ``target``, or at most where ``at_most``; None where it was not measured."""

    track: str
    meaning: str
    value: float | None
    target: float
    at_most: bool = False

    @property
    def passed(self) -> bool:
        """What was not measured, because its servers took no part, fails nobody."""
        if self.value is None:
            return True
        return self.value <= self.target if self.at_most else self.value >= self.target

    def facts(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed}


#: meaning → target of the short form, whose few seconds on a machine with other work must not raise false alarms
SHORT_GATES = {"of the in-process limit": 0.75, "lone latency over the in-process time": 1.5}


def judge(tracks: Tracks, only: Mapping[str, float] | None = None) -> list[Gate]:
    """All gates of the tracks that were run; with ``only``, those and what must never happen, with these targets."""
    gates = [gate for name, track in tracks.items() for gate in _gates(name, track)]
    gates += [gate for kind in ("search", "analysis") for gate in _across(kind, tracks)]
    if only is None:
        return gates
    kept = [gate for gate in gates if gate.meaning in only or gate.target == 0.0]
    return [Gate(g.track, g.meaning, g.value, only.get(g.meaning, g.target), g.at_most) for g in kept]


def _gates(name: str, track: dict[str, Any]) -> list[Gate]:
    arms = track["arms"]
    if OURS not in arms:
        return []
    ours = arms[OURS]
    turns = [turn for turn in track["turns"] if turn["arm"] == OURS]

    def ratio(where: str, number: str, peers: tuple[str, ...]) -> float | None:
        return _over(cell(ours, where, number), _best(arms, peers, where, number))

    most = _best(arms, tuple(arms), FULL, "goodput_per_s")
    gates = [
        Gate(name, "of the in-process limit", median(turn["of_limit"] for turn in turns), 0.95),
        Gate(name, "of the better tuned peer", ratio(CROWD, "ok_per_s", TUNED_PEERS), 1.0),
        Gate(name, "of the best peer as it comes, same engine", ratio(CROWD, "goodput_per_s", DEFAULT_PEERS), 1.0),
        Gate(name, "lone latency over the in-process time", median(t["lone_ratio"] for t in turns), 1.15, at_most=True),
        Gate(name, "overload: goodput of the best", _over(cell(ours, FULL, "goodput_per_s"), most), 0.95),
        Gate(name, "overload: p99 of 200s, s", cell(ours, FULL, "p99_s"), 1.5, at_most=True),
        Gate(name, "idle, cores", ours["idle_cores"], 0.01, at_most=True),
    ]
    return gates + [Gate(name, meaning, count(ours), 0.0, at_most=True) for meaning, count in _NEVER.items()]


def _all_cells(arm: dict[str, Any]) -> list[dict[str, Any]]:
    return [run for runs in arm["cells"].values() for run in runs]


#: meaning → how often it happened in all of this service's cells
_NEVER: Mapping[str, Callable[[dict[str, Any]], float]] = {
    "answers other than 200 and 503": lambda arm: float(
        sum(n for run in _all_cells(arm) for status, n in run["statuses"].items() if status not in ("200", "503"))
    ),
    "503 without Retry-After": lambda arm: float(sum(run["503_without_retry_after"] for run in _all_cells(arm))),
    "resets and unanswered": lambda arm: float(sum(sum(run["problems"].values()) for run in _all_cells(arm))),
}


def _across(kind: str, tracks: Tracks) -> list[Gate]:
    """What compiled models gain end to end, labelled as theirs and not the serving's; and all of this service, its
    compiled models too, beside peers as their documentation sets them up: with the frameworks."""
    native, compiled = (tracks.get(f"{kind}-{engine}", {}).get("arms", {}) for engine in ("native", "best"))
    if OURS not in compiled or not native:
        return []
    ours = compiled[OURS]
    gain = _over(cell(ours, CROWD, "ok_per_s"), _best(native, (OURS,), CROWD, "ok_per_s"))
    documented = _best(native, DEFAULT_PEERS, CROWD, "goodput_per_s")
    beside = _over(cell(ours, CROWD, "goodput_per_s"), documented)
    return [
        Gate(kind, "the engine's gain over native", gain, 1.3),
        Gate(kind, "with its engine, of the best peer as documented, with the frameworks", beside, 2.5),
    ]


def _best(arms: Mapping[str, Any], peers: tuple[str, ...], where: str, number: str) -> float | None:
    """The most that any of ``peers`` reached; None where none took part or answered."""
    known = [value for peer in peers if peer in arms and (value := cell(arms[peer], where, number)) is not None]
    return max(known, default=None)


def _over(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def table(results: dict[str, Any]) -> str:
    """Markdown: the machine, a table a track, and the gates with what was measured."""
    machine = results["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']}, "
        f"Python {machine['python']}, load average at the start {machine['load_average']}. {packages}.",
        f"Medians over the rounds. Good: a 200 within {SLO_S:g} s of the moment the request was due.",
    ]
    for name, track in results["tracks"].items():
        limit = track["limit"]
        lines += ["", f"**{name}**: limit {limit['ok_per_s']:.1f} photos/s, {limit['pss_mb']:.0f} MB PSS", ""]
        lines += [_row(_COLUMNS), _row(["---"] * len(_COLUMNS))]
        lines += [_row(_arm(arm, track, key)) for key, arm in track["arms"].items()]
    lines += ["", "**gates**", "", _row(("track", "what", "measured", "target", "")), _row(["---"] * 5)]
    for gate in results["gates"]:
        sign = "≤" if gate["at_most"] else "≥"
        verdict = "not measured" if gate["value"] is None else "pass" if gate["passed"] else "MISS"
        lines.append(
            _row((gate["track"], gate["meaning"], _number(gate["value"], 3), f"{sign} {gate['target']:g}", verdict))
        )
    return "\n".join(lines)


def _arm(arm: dict[str, Any], track: dict[str, Any], key: str) -> list[str]:
    rates = [run["ok_per_s"] for run in arm["cells"][CROWD]]
    shares = sorted(turn["of_limit"] for turn in track["turns"] if turn["arm"] == key)
    full = arm["cells"][FULL]
    statuses: dict[str, int] = {}
    for run in full:
        for status, count in run["statuses"].items():
            statuses[status] = statuses.get(status, 0) + count
    other = sum(count for status, count in statuses.items() if status not in ("200", "503"))
    lone = cell(arm, "1 client", "p50_s")
    return [
        arm["label"],
        f"{arm['ready_s']:.1f}",
        f"{arm['idle_cores']:.3f}",
        f"{arm['pss_mb']:.0f}",
        _number(None if lone is None else lone * 1e3, 0),
        f"{_number(cell(arm, CROWD, 'ok_per_s'), 1)} ({min(rates):.1f}–{max(rates):.1f})",
        f"{shares[len(shares) // 2]:.2f}",
        _number(cell(arm, CROWD, "p99_s"), 2),
        _number(cell(arm, CROWD, "cpu_s_per_photo"), 3),
        _number(cell(arm, FULL, "goodput_per_s"), 1),
        _number(cell(arm, FULL, "p99_s"), 2),
        str(statuses.get("503", 0)),
        str(other),
        str(sum(sum(run["problems"].values()) for run in full)),
    ]


def _row(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
