"""What the comparison and the soak call a miss."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.outcomes import Outcome, Tally
from benchmarks.peers.report import SHORT_GATES, judge
from benchmarks.soak import LeftEarlyError, Sample
from benchmarks.soak import judge as judge_soak

RUN = {"statuses": {"200": 10}, "problems": {}, "503_without_retry_after": 0}


def arm(**cells: dict[str, Any]) -> dict[str, Any]:
    names = {"crowd": "8 clients", "full": "4 × the limit"}
    return {"idle_cores": 0.001, "cells": {names[key]: [{**RUN, **run}] for key, run in cells.items()}}


def track(ours: dict[str, Any], **peers: dict[str, Any]) -> dict[str, Any]:
    turns = [{"arm": "dermserve", "of_limit": share, "lone_ratio": 1.1} for share in (0.5, 0.97, 0.99)]
    return {"arms": {"dermserve": ours, **peers}, "turns": turns}


def our_arm(**changes: Any) -> dict[str, Any]:
    full = {"goodput_per_s": 9.0, "p99_s": 1.2, **changes}
    return arm(crowd={"ok_per_s": 10.0, "goodput_per_s": 10.0}, full=full)


def verdicts(tracks: dict[str, Any]) -> dict[str, bool]:
    return {gate.meaning: gate.passed for gate in judge(tracks)}


def test_a_service_that_is_as_good_as_its_peers_passes() -> None:
    peer = arm(crowd={"ok_per_s": 9.9, "goodput_per_s": 3.9}, full={"goodput_per_s": 9.4, "p99_s": 8.0})
    defaults = arm(crowd={"ok_per_s": 4.0, "goodput_per_s": 4.0}, full={"goodput_per_s": 0.0, "p99_s": None})
    found = verdicts({"search-best": track(our_arm(), litserve=peer, flask=defaults)})
    assert all(found.values())
    assert found["of the better tuned peer"]
    assert found["of the best peer as it comes, same engine"]


@pytest.mark.parametrize(
    ("changes", "meaning"),
    [
        ({"p99_s": 1.6}, "overload: p99 of 200s, s"),
        ({"statuses": {"200": 9, "500": 1}}, "answers other than 200 and 503"),
        ({"problems": {"ConnectionResetError": 1}}, "resets and unanswered"),
        ({"503_without_retry_after": 1}, "503 without Retry-After"),
    ],
)
def test_each_fault_is_a_miss_of_its_own(changes: dict[str, Any], meaning: str) -> None:
    found = verdicts({"search-best": track(our_arm(**changes))})
    assert [name for name, passed in found.items() if not passed] == [meaning]


def test_a_faster_peer_is_a_miss() -> None:
    peer = arm(crowd={"ok_per_s": 10.1, "goodput_per_s": 10.1}, full={"goodput_per_s": 10.0, "p99_s": 1.0})
    found = verdicts({"search-best": track(our_arm(), bentoml=peer)})
    assert not found["of the better tuned peer"]
    assert not found["overload: goodput of the best"]


def test_the_engines_gain_compares_this_service_with_itself() -> None:
    slow = arm(crowd={"ok_per_s": 8.0, "goodput_per_s": 8.0}, full={"goodput_per_s": 8.0, "p99_s": 1.0})
    found = verdicts({"search-native": track(slow), "search-best": track(our_arm())})
    assert found["the engine's gain over native"] is False


def test_peers_as_documented_run_the_frameworks() -> None:
    """Not the engine that this project compiles: nobody's documentation sets that up."""
    documented = arm(crowd={"ok_per_s": 4.1, "goodput_per_s": 4.1}, full={"goodput_per_s": 0.0, "p99_s": None})
    same_engine = arm(crowd={"ok_per_s": 9.0, "goodput_per_s": 9.0}, full={"goodput_per_s": 0.0, "p99_s": None})
    tracks = {"search-native": track(our_arm(), flask=documented), "search-best": track(our_arm(), flask=same_engine)}
    gate = next(gate for gate in judge(tracks) if "as documented" in gate.meaning)
    assert (gate.value, gate.passed) == (pytest.approx(10 / 4.1), False)


def test_the_short_form_has_wider_ratios_and_forgives_no_fault() -> None:
    tracks = {"analysis-best": track(our_arm(problems={"ConnectionResetError": 1}, p99_s=2.0))}
    found = {gate.meaning: gate for gate in judge(tracks, SHORT_GATES)}
    assert found["of the in-process limit"].target < 0.95
    assert not found["resets and unanswered"].passed
    assert "overload: p99 of 200s, s" not in found


def samples(memory: list[float], **counts: list[int]) -> list[Sample]:
    steady = {"threads": [20] * len(memory), "open_files": [50] * len(memory), "temporary_files": [9] * len(memory)}
    rows = zip(*({**steady, **counts}[name] for name in steady), strict=True)
    return [Sample(60.0 * number, mb, *row) for number, (mb, row) in enumerate(zip(memory, rows, strict=True))]


def tally(*statuses: int | str) -> Tally:
    """Answers with these statuses; a text is why no answer came."""
    return Tally(
        [
            Outcome(0.0, 0.1, status, retry_after=True) if isinstance(status, int) else Outcome(0.0, 0.1, None, status)
            for status in statuses
        ]
    )


GOOD = tally(200, 200, 503, 422, LeftEarlyError.__name__)


def test_memory_that_settles_is_no_growth() -> None:
    assert judge_soak(samples([200.0, 280.0, 300.0, 310.0, 305.0] + [308.0] * 25), GOOD) == []


def test_memory_that_creeps_is_growth() -> None:
    (problem,) = judge_soak(samples([300.0 + 2 * n for n in range(30)]), GOOD)
    assert "memory grew" in problem


@pytest.mark.parametrize("name", ["threads", "open_files", "temporary_files"])
def test_what_leaks_is_named(name: str) -> None:
    (problem,) = judge_soak(samples([300.0] * 30, **{name: [10 + n for n in range(30)]}), GOOD)
    assert name in problem


@pytest.mark.parametrize(
    ("found", "meaning"),
    [
        (tally(200, 500), "errors of the server"),
        (tally(200, "ConnectionResetError"), "ConnectionResetError"),
        (tally(200, "ConnectionRefusedError"), "ConnectionRefusedError"),
        (tally(503), "no photo was analysed"),
    ],
)
def test_what_must_not_happen(found: Tally, meaning: str) -> None:
    (problem,) = judge_soak(samples([300.0] * 30), found)
    assert meaning in problem
