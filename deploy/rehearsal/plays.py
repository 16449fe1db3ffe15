"""The plays of a rehearsal. To add a play, write a function that raises CheckError, and add one entry to PLAYS."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deploy.rehearsal import scale_out
from deploy.rehearsal.checks import deployments_under_load, large_uploads, long_requests, short_checks
from deploy.rehearsal.operations import cold_fetch, rollback, secret, setenv
from deploy.rehearsal.rehearsal import Rehearsal


@dataclass(frozen=True)
class Play:
    """One part of a rehearsal, played on a deployed environment. Only the ``short`` plays belong to the short form."""

    name: str
    run: Callable[[Rehearsal], None]
    short: bool = False


PLAYS: tuple[Play, ...] = (
    Play("service", short_checks, short=True),
    Play("long requests", long_requests),
    Play("large uploads", large_uploads),
    Play("scale-out from a bundle", scale_out.from_bundle),
    Play("scale-out without a bundle", scale_out.without_bundle),
    Play("deployments", deployments_under_load),
    Play("rollback", rollback),
    Play("setenv", setenv),
    Play("secret", secret),
    Play("cold fetch", cold_fetch),
)


def perform(rehearsal: Rehearsal, plays: Sequence[Play]) -> None:
    """Run the plays in order, each from the first version's files, and print its time. Raises CheckError."""
    times: list[tuple[str, float]] = []
    for play in plays:
        start = time.monotonic()
        rehearsal.source.restore(rehearsal.first_commit)
        with rehearsal.progress.step(f"play: {play.name}"):
            play.run(rehearsal)
        times.append((play.name, time.monotonic() - start))
    width = max(len(name) for name, _ in times)
    rehearsal.progress.report("\n".join(f"  {name:<{width}}  {seconds:6.1f} s" for name, seconds in times))
