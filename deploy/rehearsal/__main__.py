"""``python -m deploy.rehearsal``: rehearse `eb deploy` from end to end, without an AWS account."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from deploy.rehearsal.plays import PLAYS, Play, perform
from deploy.rehearsal.progress import CheckError, Progress, RehearsalError
from deploy.rehearsal.rehearsal import Rehearsal, RehearsalOptions, running_rehearsal


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0, 1 if the rehearsal fails, 130 if it is interrupted."""
    parsed = _parse(arguments)
    options = RehearsalOptions(
        working_tree=parsed.working_tree, installed=parsed.short, port_base=parsed.port_base, keep=parsed.keep
    )
    signal.signal(signal.SIGTERM, _interrupt)
    progress = Progress()
    try:
        with running_rehearsal(options, progress) as rehearsal:
            _rehearse(rehearsal, _chosen(parsed))
    except (CheckError, RehearsalError) as error:
        progress.report(f"REHEARSAL FAILED: {error}")
        return 1
    except KeyboardInterrupt:
        progress.report("interrupted; all started processes have ended")
        return 130
    progress.report("rehearsal passed")
    return 0


def _rehearse(rehearsal: Rehearsal, plays: Sequence[Play]) -> None:
    done = rehearsal.create()
    if done.status:
        raise CheckError(f"eb create ended with status {done.status}:\n{done.output}")
    perform(rehearsal, plays)


def _chosen(parsed: argparse.Namespace) -> list[Play]:
    if parsed.play:
        return [play for play in PLAYS if play.name in parsed.play]
    return [play for play in PLAYS if play.short or not parsed.short]


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.rehearsal", description=__doc__)
    parser.add_argument(
        "--short",
        action="store_true",
        help="deploy once with the packages of this interpreter, and run the quick checks only",
    )
    parser.add_argument(
        "--play",
        action="append",
        metavar="NAME",
        choices=[play.name for play in PLAYS],
        help=f"play only this part; may be repeated ({', '.join(play.name for play in PLAYS)})",
    )
    parser.add_argument(
        "--working-tree", action="store_true", help="deploy the files as they are now instead of the commit HEAD"
    )
    parser.add_argument(
        "--port-base", type=int, metavar="N", help="use consecutive ports from N (default: any free ports)"
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep the folders and logs of the instances (var/rehearsal/run-…)"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
