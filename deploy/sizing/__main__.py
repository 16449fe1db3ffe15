"""``python -m deploy.sizing``: measure the service on this host and recommend an instance type for a load."""

from __future__ import annotations

import argparse
import json
import sys

from deploy.sizing.measure import SizingError, measure
from deploy.sizing.plan import Load, recommend
from deploy.sizing.report import as_json, as_text

#: vectors in an index of the whole SCIN dataset, one per photo
_SCIN_VECTORS = 10_407


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 with one line on stderr."""
    options = _parse(arguments)
    load = Load(options.requests_per_minute, options.index_vectors, options.spare)
    try:
        measured = measure(lambda step: print(f"measuring: {step}", file=sys.stderr))
    except SizingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    best, choices = recommend(measured, load)
    if options.json:
        print(json.dumps(as_json(measured, load, best, choices), indent=1))
    else:
        print(as_text(measured, load, best, choices))
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.sizing", description=__doc__)
    parser.add_argument(
        "--requests-per-minute",
        type=_positive,
        default=30.0,
        metavar="N",
        help="photos per minute at peak load (default: 30)",
    )
    parser.add_argument(
        "--index-vectors",
        type=int,
        default=_SCIN_VECTORS,
        metavar="N",
        help="vectors in the index (default: all of SCIN)",
    )
    parser.add_argument(
        "--spare",
        type=_not_negative,
        default=1,
        metavar="N",
        help="instances that may fail while the others carry the load (default: 1; 0 for tests)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


def _not_negative(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


if __name__ == "__main__":
    sys.exit(main())
