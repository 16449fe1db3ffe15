"""``python -m deploy.bundle TARGET``: make a bundle for this version and these settings, and publish it.

The settings are those of the environment, such as DERMSERVE_INDEX and DERMSERVE_ENCODER: set them as in production. Run
it with the platform's version of Python. The last line is the address for DERMSERVE_BUNDLE.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from deploy.bundle.contents import BundleError
from deploy.bundle.make import make
from deploy.bundle.publish import publish
from settings import load_or_exit
from storage import StorageError
from storage.target import open_target

_ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 with one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m deploy.bundle", description=__doc__)
    parser.add_argument("target", help="a folder or s3://bucket/prefix")
    parser.add_argument("--requirements", type=Path, default=_ROOT / "requirements.txt", help="what pip will install")
    parser.add_argument("--work", type=Path, help="the folder for wheels and packed packages (default: VAR/bundle)")
    options = parser.parse_args(arguments)
    settings = load_or_exit()
    begin = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - begin:6.1f} s  {line}", flush=True)

    try:
        target = open_target(options.target)
        contents, files = make(settings, options.requirements, options.work or settings.var / "bundle", say)
        address = publish(contents, files, target, say)
    except (BundleError, StorageError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    say(f"{len(contents.parts)} files, {sum(part.size for part in contents.parts) / 1e6:.0f} MB")
    print(address)
    return 0


if __name__ == "__main__":
    sys.exit(main())
