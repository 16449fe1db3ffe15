"""``python -m deploy.rehearsal``: rehearse `eb deploy` from end to end, without an account."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import NoReturn

from deploy.rehearsal.checks import short_checks
from deploy.rehearsal.errors import CheckError, RehearsalError
from deploy.rehearsal.long_checks import long_checks
from deploy.rehearsal.narrator import Narrator
from deploy.rehearsal.rehearsal import Rehearsal, Wishes, rehearsing


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0, 1 if the rehearsal fails, 130 if it is interrupted."""
    options = _parse(arguments)
    wishes = Wishes(
        working_tree=options.working_tree, installed=options.short, port_base=options.port_base, keep=options.keep
    )
    signal.signal(signal.SIGTERM, _interrupt)
    narrator = Narrator()
    try:
        with rehearsing(wishes, narrator) as rehearsal:
            _rehearse(rehearsal, short=options.short)
    except (CheckError, RehearsalError) as error:
        narrator.say(f"REHEARSAL FAILED: {error}")
        return 1
    except KeyboardInterrupt:
        narrator.say("interrupted; everything that was started has been ended")
        return 130
    narrator.say("rehearsal passed")
    return 0


def _rehearse(rehearsal: Rehearsal, *, short: bool) -> None:
    done = rehearsal.deploy("the first version")
    if done.status:
        raise CheckError(f"eb deploy ended with status {done.status}:\n{done.output}")
    short_checks(rehearsal)
    if not short:
        long_checks(rehearsal)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.rehearsal", description=__doc__)
    parser.add_argument(
        "--short", action="store_true", help="one deployment with this interpreter's packages, and the quick checks"
    )
    parser.add_argument("--working-tree", action="store_true", help="deploy the files as they are, not what HEAD holds")
    parser.add_argument("--port-base", type=int, metavar="N", help="ports from N on (default: free ones)")
    parser.add_argument(
        "--keep", action="store_true", help="keep the instances' folders and logs (var/rehearsal/run-…)"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
