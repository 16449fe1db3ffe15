"""The results as Markdown tables and as a plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.peers.outcomes import SLO_S
from benchmarks.peers.track import CLIENTS, OVERLOAD, cell

_CROWD = f"{CLIENTS} clients"
_FULL = f"{OVERLOAD:g} × the limit"
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
    rates = [run["ok_per_s"] for run in arm["cells"][_CROWD]]
    shares = sorted(turn["of_limit"] for turn in track["turns"] if turn["arm"] == key)
    full = arm["cells"][_FULL]
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
        f"{_number(cell(arm, _CROWD, 'ok_per_s'), 1)} ({min(rates):.1f}–{max(rates):.1f})",
        f"{shares[len(shares) // 2]:.2f}",
        _number(cell(arm, _CROWD, "p99_s"), 2),
        _number(cell(arm, _CROWD, "cpu_s_per_photo"), 3),
        _number(cell(arm, _FULL, "goodput_per_s"), 1),
        _number(cell(arm, _FULL, "p99_s"), 2),
        str(statuses.get("503", 0)),
        str(other),
        str(sum(sum(run["problems"].values()) for run in full)),
    ]


def _row(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def plot(results: dict[str, Any], path: Path) -> None:
    """For each track: what eight clients get of the limit, and goodput at the overload, as shares of the limit."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    tracks = results["tracks"]
    figure, axes = plt.subplots(len(tracks), 1, figsize=(8, 2.6 * len(tracks)), squeeze=False, layout="constrained")
    for axis, (name, track) in zip(axes[:, 0], tracks.items(), strict=True):
        limit = track["limit"]["ok_per_s"]
        labels = [arm["label"] for arm in track["arms"].values()]
        crowd = [(cell(arm, _CROWD, "ok_per_s") or 0.0) / limit for arm in track["arms"].values()]
        full = [(cell(arm, _FULL, "goodput_per_s") or 0.0) / limit for arm in track["arms"].values()]
        rows = range(len(labels))
        axis.barh([row - 0.2 for row in rows], crowd, 0.38, label=f"{CLIENTS} clients: answered")
        axis.barh([row + 0.2 for row in rows], full, 0.38, label=f"{OVERLOAD:g} × the limit: answered in {SLO_S:g} s")
        axis.set_yticks(list(rows), labels)
        axis.invert_yaxis()
        axis.set_title(f"{name}: shares of the in-process limit ({limit:.1f} photos/s)", fontsize=10)
        axis.axvline(1.0, color="black", linewidth=0.8)
        axis.legend(fontsize=7, loc="lower right")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
