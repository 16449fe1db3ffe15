"""``python -m ml fetch | verify | list``: the model files of this installation."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from ml.errors import ArtifactError
from ml.registry import DEFAULT_MODELS, SPECS, find
from ml.store import ModelStore


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 with one line on stderr."""
    options = _parse(arguments)
    store = ModelStore(options.models)
    try:
        for name in options.names or _default_names(options.command, store):
            _COMMANDS[options.command](store, name, options)
    except (ArtifactError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _fetch(store: ModelStore, name: str, options: argparse.Namespace) -> None:
    started = time.monotonic()
    fetched = store.fetch(find(name), options.source, force=options.force)
    print(f"{name}: {f'fetched and checked in {time.monotonic() - started:.0f} s' if fetched else 'already here'}")


def _verify(store: ModelStore, name: str, _: argparse.Namespace) -> None:
    manifest = store.verify(find(name))
    print(f"{name} {manifest.version}: {len(manifest.files)} files match their sha256")


def _list(store: ModelStore, name: str, _: argparse.Namespace) -> None:
    spec = find(name)
    state = "here" if store.folder(spec).is_dir() else "not fetched" if spec.source else "opt-in"
    print(f"{name:20} {spec.version:8} {spec.task:11} {spec.framework:11} {state:12} {spec.licence}")


_COMMANDS = {"fetch": _fetch, "verify": _verify, "list": _list}


def _default_names(command: str, store: ModelStore) -> list[str]:
    if command == "list":
        return list(SPECS)
    here = [name for name in SPECS if store.folder(SPECS[name]).is_dir()]
    return sorted({*DEFAULT_MODELS, *here}) if command == "verify" else list(DEFAULT_MODELS)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    from settings import Settings

    parser = argparse.ArgumentParser(prog="python -m ml", description=__doc__)
    parser.add_argument("command", choices=_COMMANDS)
    parser.add_argument("names", nargs="*", metavar="MODEL", help="default: all that may be fetched freely")
    parser.add_argument("--models", type=Path, default=Settings.load().models_dir, help="where models are kept")
    parser.add_argument("--source", help="take the files from this folder, https, s3:// or gs:// address instead")
    parser.add_argument("--force", action="store_true", help="fetch again even if a verified copy is here")
    options = parser.parse_args(arguments)
    if options.source and len(options.names) != 1:
        parser.error("--source needs exactly one MODEL")
    return options


if __name__ == "__main__":
    sys.exit(main())
