"""``python -m client photo.jpg`` is the command ``dermserve photo.jpg``, from a checkout, without installing it."""

import sys

from .dermserve.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
