"""``python -m ml fetch | prepare | verify | list | bench``: the model files of this installation, and their engines."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ml.engines.choice import AUTO, COMPILABLE
from ml.engines.record import ENGINES, NATIVE, EnginesRecord, check_files, read_record
from ml.errors import ArtifactError
from ml.models.registry import DEFAULT_MODELS, SPECS, find
from ml.models.spec import ModelSpec
from ml.models.store import ModelStore

if TYPE_CHECKING:
    from settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 with one line on stderr."""
    options = _parse(arguments)
    store = ModelStore(options.models)
    try:
        for name in options.names or _default_names(options.command, store):
            _COMMANDS[options.command](store, find(name), options)
        if options.command == "bench":
            _bench_processes(store, options)
    except (ArtifactError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _fetch(store: ModelStore, spec: ModelSpec, options: argparse.Namespace) -> None:
    started = time.monotonic()
    fetched = store.fetch(spec, options.source, force=options.force)
    print(f"{spec.name}: {f'fetched and checked in {time.monotonic() - started:.0f} s' if fetched else 'already here'}")
    if options.engine == NATIVE or spec.runtime not in COMPILABLE:
        return
    try:
        _tell_prepared(store, spec, options, force=False)
    except OSError as error:  # a full disk, for instance; the model itself is there
        print(f"{spec.name}: runs natively, no engine could be prepared: {error}")


def _prepare(store: ModelStore, spec: ModelSpec, options: argparse.Namespace) -> None:
    if options.engine == NATIVE or spec.runtime not in COMPILABLE:
        print(f"{spec.name}: runs natively{'' if spec.runtime in COMPILABLE else ' only'}, nothing to prepare")
        return
    record = _tell_prepared(store, spec, options, force=options.force)
    if options.engine != AUTO and (problem := record.results[options.engine].problem):
        raise ArtifactError(f"{options.engine} cannot run {spec.name}: {problem}")


def _tell_prepared(store: ModelStore, spec: ModelSpec, options: argparse.Namespace, *, force: bool) -> EnginesRecord:
    from ml.engines.prepare import prepare

    started = time.monotonic()
    engines = None if options.engine == AUTO else [options.engine]
    prepared = prepare(store, spec, engines, threads=options.threads, force=force)
    took = f"prepared in {time.monotonic() - started:.0f} s" if prepared.made else "already prepared"
    print(f"{spec.name}: {prepared.record.summary()}; {took}")
    return prepared.record


def _verify(store: ModelStore, spec: ModelSpec, _: argparse.Namespace) -> None:
    manifest = store.verify(spec)
    record = read_record(store.folder(spec))
    compiled = (
        {name: digest for result in record.results.values() for name, digest in result.files.items()} if record else {}
    )
    check_files(store.folder(spec), compiled)
    print(f"{spec.name} {manifest.version}: {len(manifest.files) + len(compiled)} files match their sha256")


def _list(store: ModelStore, spec: ModelSpec, _: argparse.Namespace) -> None:
    state = "here" if store.folder(spec).is_dir() else "not fetched" if spec.source else "opt-in"
    print(f"{spec.name:20} {spec.version:8} {spec.task:11} {spec.framework:11} {state:12} {spec.licence}")


def _bench(store: ModelStore, spec: ModelSpec, options: argparse.Namespace) -> None:
    from ml.engines.bench import speed_table

    if spec.runtime in COMPILABLE:
        print(speed_table(store, spec, threads=options.threads), flush=True)


def _bench_processes(store: ModelStore, options: argparse.Namespace) -> None:
    from ml.engines.bench import process_table

    print(process_table(store, options.settings.encoder, options.settings.classifier))


_COMMANDS = {"fetch": _fetch, "prepare": _prepare, "verify": _verify, "list": _list, "bench": _bench}


def _default_names(command: str, store: ModelStore) -> list[str]:
    here = [name for name in SPECS if store.folder(SPECS[name]).is_dir()]
    if command == "list":
        return list(SPECS)
    if command in ("prepare", "bench"):
        return [name for name in here if SPECS[name].runtime in COMPILABLE]
    return sorted({*DEFAULT_MODELS, *here}) if command == "verify" else list(DEFAULT_MODELS)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    from settings import Settings

    settings = Settings.load()
    parser = argparse.ArgumentParser(prog="python -m ml", description=__doc__)
    parser.add_argument("command", choices=_COMMANDS)
    parser.add_argument("names", nargs="*", metavar="MODEL", help="default: all that may be fetched freely")
    parser.add_argument("--models", type=Path, default=settings.models_dir, help="where models are kept")
    parser.add_argument("--source", help="take the files from this folder, https, s3:// or gs:// address instead")
    parser.add_argument("--force", action="store_true", help="do it again even if what is here is whole")
    parser.add_argument(
        "--engine",
        choices=(AUTO, NATIVE, *ENGINES),
        default=_wanted(settings),
        help="prepare this one; auto: all that are installed, native: none (default: as the service is set)",
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of one run while it is timed (default 1)")
    options = parser.parse_args(arguments)
    options.settings = settings
    if options.source and len(options.names) != 1:
        parser.error("--source needs exactly one MODEL")
    if options.threads < 1:
        parser.error("--threads must be at least 1")
    return options


def _wanted(settings: Settings) -> str:
    return NATIVE if settings.enable_gpu else settings.engine


if __name__ == "__main__":
    sys.exit(main())
