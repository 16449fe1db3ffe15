"""``python -m ml fetch | prepare | verify | list``: the model files of this installation.

``fetch`` downloads models and compiles them, unless the settings say that they run natively. ``prepare`` only compiles
them. ``verify`` compares files with their digests. ``list`` shows every known model. Without a name, ``fetch`` takes
the models that the settings choose, ``prepare`` those that were fetched, and ``verify`` both. MODEL may also be the
folder of a trained encoder.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from ml.errors import ArtifactError
from ml.models.compiled import NATIVE, ONNXRUNTIME, CompiledRecord, can_compile, compile_model, read_record
from ml.models.loading import models_in_use
from ml.models.registry import SPECS, find
from ml.models.spec import ModelSpec
from ml.models.store import ModelStore, check_files
from settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 with one line on stderr."""
    options = _parse(arguments)
    store = ModelStore(options.models)
    try:
        for name in options.names or _default_names(options, store):
            _COMMANDS[options.command](store, find(name), options)
    except (ArtifactError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _fetch(store: ModelStore, spec: ModelSpec, options: argparse.Namespace) -> None:
    started = time.monotonic()
    fetched = store.fetch(spec, options.source, force=options.force)
    took = f"fetched and checked in {time.monotonic() - started:.0f} s"
    print(f"{spec.name}: {took if fetched else 'already here'}")
    if options.engine == NATIVE or not can_compile(spec):
        return
    try:
        _compile(store, spec, force=False)
    except OSError as error:  # a full disk, for instance; the model itself is there
        print(f"{spec.name}: runs natively, it could not be compiled: {error}")


def _prepare(store: ModelStore, spec: ModelSpec, options: argparse.Namespace) -> None:
    if not can_compile(spec):
        print(f"{spec.name}: runs natively only, nothing to prepare")
        return
    record = _compile(store, spec, force=options.force)
    if options.engine == ONNXRUNTIME and record.problem is not None:
        raise ArtifactError(f"DERMSERVE_ENGINE={ONNXRUNTIME}, but it cannot run {spec.name}: {record.problem}")


def _compile(store: ModelStore, spec: ModelSpec, *, force: bool) -> CompiledRecord:
    started = time.monotonic()
    record, made = compile_model(store, spec, force=force)
    took = f"compiled in {time.monotonic() - started:.0f} s" if made else "already compiled"
    print(f"{spec.name}: {record.summary()}; {took}")
    return record


def _verify(store: ModelStore, spec: ModelSpec, _: argparse.Namespace) -> None:
    folder = store.compiled(spec)
    manifest, record = store.verify(spec), read_record(folder)
    compiled = record.files if record else {}
    check_files(folder, compiled, f"Compile it again: python -m ml prepare {spec.address} --force")
    print(f"{spec.name} {manifest.version}: {len(manifest.files) + len(compiled)} files match their sha256")


def _list(store: ModelStore, spec: ModelSpec, _: argparse.Namespace) -> None:
    state = "here" if store.folder(spec).is_dir() else "not fetched" if spec.source else "opt-in"
    print(f"{spec.name:20} {spec.version:8} {spec.task:11} {spec.framework:11} {state:12} {spec.licence}")


_COMMANDS = {"fetch": _fetch, "prepare": _prepare, "verify": _verify, "list": _list}


def _default_names(options: argparse.Namespace, store: ModelStore) -> list[str]:
    chosen: list[str] = options.chosen
    here = [name for name in SPECS if store.folder(SPECS[name]).is_dir()]
    names = {
        "list": list(SPECS),
        "fetch": chosen,
        "prepare": [name for name in here if can_compile(SPECS[name])],
        "verify": sorted({*chosen, *here}),
    }
    return names[options.command]


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    settings = Settings.load()
    parser = argparse.ArgumentParser(prog="python -m ml", description=__doc__)
    parser.add_argument("command", choices=_COMMANDS)
    parser.add_argument("names", nargs="*", metavar="MODEL", help="default: see above")
    parser.add_argument("--models", type=Path, default=settings.models_dir, help="the folder of the models")
    parser.add_argument("--source", help="a folder, https, s3:// or gs:// address to fetch from instead")
    parser.add_argument("--force", action="store_true", help="repeat it, even if the files are complete")
    options = parser.parse_args(arguments)
    options.engine = NATIVE if settings.enable_gpu else settings.engine
    options.chosen = models_in_use(settings.building_encoder, settings.classifier, faces=settings.faces)
    if options.source and len(options.names) != 1:
        parser.error("--source needs exactly one MODEL")
    return options


if __name__ == "__main__":
    sys.exit(main())
