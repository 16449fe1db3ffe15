"""``python -m benchmarks.peers``: this service and its peers, side by side. See benchmarks/README.md.

A track is the same core, by the same engine, behind every server, measured in turns.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.load import Job, in_own_process
from benchmarks.peers.arms import ARMS, OURS, Arm, Plan, command, environment, plan_for
from benchmarks.peers.core import Kind
from benchmarks.peers.inprocess import InProcess
from benchmarks.peers.report import CLIENTS, CROWD, FULL, OVERLOAD, SHORT_GATES, judge, table
from benchmarks.photos import write_photos
from benchmarks.service import ProcessGroup, ServerError, free_port, machine_facts, machine_name

_SWEEP_CLIENTS = (2, 4, 16)
_SWEEP_LOADS = (0.5, 0.8, 1.0, 1.5, 2.0)
_IDLE_S, _QUIET_S = 5.0, 60.0
#: after this a server that still works on requests whose clients have left is started again
_REST_S = 10.0
_CLIENT_S = 120.0


@dataclass(frozen=True)
class Track:
    """``engine`` as DERMSERVE_ENGINE takes it."""

    kind: Kind
    engine: str


TRACKS = {
    "search-native": Track(Kind.SEARCH, "native"),
    "search-best": Track(Kind.SEARCH, "auto"),
    "analysis-native": Track(Kind.ANALYSIS, "native"),
    "analysis-best": Track(Kind.ANALYSIS, "auto"),
}


@dataclass(frozen=True)
class Schedule:
    """``rounds`` of ``seconds`` a cell, in each of which every server has its turn; ``sweep``: more loads, once."""

    rounds: int
    seconds: float
    sweep: bool


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
    parser.add_argument("--scratch", type=Path, default=Path("var/bench"), help="logs, photos and all numbers")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="where the table goes")
    options = parser.parse_args(arguments)
    tracks, arms = (["analysis-best"], [OURS]) if options.short else (options.tracks, options.arms)
    schedule = _schedule(options)
    results = {"machine": machine_facts(), "seed": options.seed, "tracks": {}}
    for name in tracks:
        results["tracks"][name] = run_track(TRACKS[name], arms, schedule, options.scratch.resolve(), options.seed)
    gates = judge(results["tracks"], SHORT_GATES if options.short else None)
    results["gates"] = [gate.facts() for gate in gates]
    text = table(results)
    print(text)
    if not options.short:
        _write(options, results, text)
    return int(not all(gate.passed for gate in gates))


def _schedule(options: argparse.Namespace) -> Schedule:
    base = _SHORT if options.short else _WHOLE
    return Schedule(
        rounds=options.rounds or base.rounds,
        seconds=options.seconds or base.seconds,
        sweep=base.sweep and not options.no_sweep,
    )


def _write(options: argparse.Namespace, results: dict[str, object], text: str) -> None:
    """The table where results are kept, and every number beside the logs."""
    options.out.mkdir(parents=True, exist_ok=True)
    table_file = options.out / f"serving-{machine_name(machine_facts())}.md"
    numbers_file = options.scratch / "serving.json"
    table_file.write_text(text + "\n", encoding="utf-8")
    numbers_file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"{table_file} and {numbers_file}")


@dataclass
class _Running:
    """A server that has been started, and what was measured of it: cell → one summary a round."""

    arm: Arm
    launch: Callable[[], ProcessGroup]
    group: ProcessGroup
    port: int
    facts: dict[str, Any]
    cells: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def rest(self) -> None:
        """Until it does nothing: what one server has not finished must not slow the next one, or the limit."""
        if not self.group.wait_idle(_REST_S):
            self.stop()
            self.group = self.launch()
            self.group.wait_ready(f"http://127.0.0.1:{self.port}{self.arm.ready}")
            self.group.wait_idle(_QUIET_S)
            self.facts["restarts"] += 1

    def stop(self) -> None:
        self.group.stop()


def run_track(track: Track, arms: Sequence[str], schedule: Schedule, scratch: Path, seed: int) -> dict[str, Any]:
    """Every server's numbers, and those of the in-process limit, taken right before each server's turn."""
    photos = [str(path) for path in write_photos(scratch / "photos")]
    order = random.Random(seed)  # noqa: S311 - the order of turns
    with ExitStack() as stack:
        limit = _limit(plan_for(track.kind, track.engine), scratch, stack)
        first = limit.measure(photos, schedule.seconds)["ok_per_s"]
        plan = plan_for(track.kind, track.engine, first)
        expected = limit.answers(photos[:1])[0]
        servers = [
            _start(ARMS[name], plan, scratch=scratch, stack=stack, expected=expected, photo=photos[0]) for name in arms
        ]
        for server in servers:
            server.facts["idle_cores"] = server.group.cores_used(_IDLE_S)
        turns: list[dict[str, Any]] = []
        for number in range(schedule.rounds):
            for server in order.sample(servers, len(servers)):
                turns.append(_turn(server, limit, photos, seconds=schedule.seconds, rate=first, seed=seed + number))
        if schedule.sweep:
            for server in (one for one in servers if one.arm.tuned):
                _sweep(server, photos, schedule.seconds, first, seed)
        for server in servers:
            server.facts["pss_mb"] = server.group.pss_bytes() / 1e6
        return {
            "kind": track.kind,
            "engine": track.engine,
            "plan": asdict(plan),
            "limit": {"ok_per_s": first, "pss_mb": limit.pss_bytes() / 1e6},
            "turns": turns,
            "arms": {one.arm.name: {"label": one.arm.label, **one.facts, "cells": one.cells} for one in servers},
        }


def _limit(plan: Plan, scratch: Path, stack: ExitStack) -> InProcess:
    limit = InProcess(plan.processes, 1, environment(plan, scratch), scratch / "limit")
    stack.callback(limit.stop)
    limit.wait_ready()
    return limit


def _start(arm: Arm, plan: Plan, *, scratch: Path, stack: ExitStack, expected: dict[str, Any], photo: str) -> _Running:
    folder, port = scratch / arm.name, free_port()
    folder.mkdir(parents=True, exist_ok=True)
    variables = environment(plan, folder, tuned=arm.tuned, arm=arm.name, port=port)

    def launch() -> ProcessGroup:
        return ProcessGroup(command(arm, plan, port), variables, folder / "log")

    server = _Running(arm, launch, launch(), port, {"restarts": 0})
    stack.callback(server.stop)
    server.facts["ready_s"] = server.group.wait_ready(f"http://127.0.0.1:{port}{arm.ready}")
    _check_answer(arm, port, expected, Path(photo))
    server.group.wait_idle(_QUIET_S)
    ready = f"ready after {server.facts['ready_s']:.1f} s"
    print(f"{plan.kind} by {plan.engine}: {arm.label}, {ready}", file=sys.stderr, flush=True)
    return server


def _check_answer(arm: Arm, port: int, expected: dict[str, Any], photo: Path) -> None:
    """Every server must find the same cases. Raises ServerError.

    How alike they are may differ in the last digits: more threads add numbers up in another order.
    """
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{arm.path}", photo.read_bytes(), {"Content-Type": "image/jpeg"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        found = json.load(response)
    if [case["case_id"] for case in found["similar_cases"]] != [case["case_id"] for case in expected["similar_cases"]]:
        raise ServerError(f"{arm.label} finds other cases than the core itself")


def _turn(
    server: _Running, limit: InProcess, photos: list[str], *, seconds: float, rate: float, seed: int
) -> dict[str, Any]:
    """One client, eight clients and the overload, each with the limit measured right before."""
    lone = limit.measure(photos, seconds / 2, lone=True)
    alone = _cell(server, "1 client", _job(server, photos, seconds, clients=1))
    all_of_it = limit.measure(photos, seconds)
    crowd = _cell(server, CROWD, _job(server, photos, seconds, clients=CLIENTS))
    _cell(server, FULL, _job(server, photos, seconds + 2, rate=OVERLOAD * rate, seed=seed))
    return {
        "arm": server.arm.name,
        "limit_per_s": all_of_it["ok_per_s"],
        "lone_limit_s": lone["p50_s"],
        "of_limit": crowd["ok_per_s"] / all_of_it["ok_per_s"],
        "lone_ratio": alone["p50_s"] / lone["p50_s"] if alone["p50_s"] else None,
    }


def _sweep(server: _Running, photos: list[str], seconds: float, rate: float, seed: int) -> None:
    for clients in _SWEEP_CLIENTS:
        _cell(server, f"{clients} clients", _job(server, photos, seconds, clients=clients))
    for load in _SWEEP_LOADS:
        _cell(server, f"{load:g} × the limit", _job(server, photos, seconds, rate=load * rate, seed=seed))


def _job(server: _Running, photos: list[str], seconds: float, **load: Any) -> Job:
    return Job(f"http://127.0.0.1:{server.port}", server.arm.path, photos, seconds, **load)


def _cell(server: _Running, name: str, job: Job) -> dict[str, Any]:
    """One measurement by a client of its own; afterwards the machine is at rest again."""
    before = server.group.cpu_seconds()
    result = in_own_process(job, _CLIENT_S)
    result["cpu_s_per_photo"] = (server.group.cpu_seconds() - before) / max(1, result["ok_total"])
    server.cells.setdefault(name, []).append(result)
    server.rest()
    return result


if __name__ == "__main__":
    sys.exit(main())
