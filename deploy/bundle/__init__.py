"""One artifact with all that a new instance installs: packages, models and index.

``python -m deploy.bundle`` makes and publishes it; the prebuild hook runs ``python -m deploy.bundle.install``. Because
the hook runs before pip, what it imports (contents, source, place, packages, install) needs Python's standard library
alone.
"""
