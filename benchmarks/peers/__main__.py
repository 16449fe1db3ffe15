"""``python -m benchmarks.peers``: this service and its peers, side by side. See benchmarks/README.md."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.peers.arms import ARMS, OURS
from benchmarks.peers.gates import SHORT_GATES, judge
from benchmarks.peers.machine import facts, name_of
from benchmarks.peers.report import plot, table
from benchmarks.peers.track import TRACKS, Schedule, run_track

_SHORT = Schedule(rounds=2, seconds=6.0, sweep=False)
_WHOLE = Schedule(rounds=3, seconds=7.0, sweep=True)


def main(arguments: list[str] | None = None) -> int:
    """0 if every gate that was measured is passed, otherwise 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument(
        "--short", action="store_true", help="this service and the limit alone; gates for noisy machines"
    )
    parser.add_argument("--tracks", nargs="+", choices=TRACKS, default=list(TRACKS))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--rounds", type=int, help=f"turns of each server; {_WHOLE.rounds} if not given")
    parser.add_argument("--seconds", type=float, help=f"of each cell; {_WHOLE.seconds:g} if not given")
    parser.add_argument("--no-sweep", action="store_true", help="leave out the other numbers of clients and loads")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the arms and of the arrivals")
    parser.add_argument("--scratch", type=Path, default=Path("var/bench"), help="logs and photos")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="where the results go")
    options = parser.parse_args(arguments)
    tracks, arms = (["analysis-best"], [OURS]) if options.short else (options.tracks, options.arms)
    schedule = _schedule(options)
    results = {"machine": facts(), "seed": options.seed, "tracks": {}}
    for name in tracks:
        results["tracks"][name] = run_track(TRACKS[name], arms, schedule, options.scratch.resolve(), options.seed)
    gates = judge(results["tracks"], SHORT_GATES if options.short else None)
    results["gates"] = [gate.facts() for gate in gates]
    text = table(results)
    print(text)
    if not options.short:
        _write(options.out, results, text)
    return int(not all(gate.passed for gate in gates))


def _schedule(options: argparse.Namespace) -> Schedule:
    base = _SHORT if options.short else _WHOLE
    return Schedule(
        rounds=options.rounds or base.rounds,
        seconds=options.seconds or base.seconds,
        sweep=base.sweep and not options.no_sweep,
    )


def _write(out: Path, results: dict[str, object], text: str) -> None:
    out.mkdir(parents=True, exist_ok=True)
    stem = f"serving-{name_of(facts())}"  # with the dots of versions: nothing of it is a suffix
    (out / f"{stem}.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (out / f"{stem}.md").write_text(text + "\n", encoding="utf-8")
    plot(results, out / f"{stem}.svg")
    print(f"{out / stem}.json, .md and .svg")


if __name__ == "__main__":
    sys.exit(main())
