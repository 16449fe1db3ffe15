"""``python -m scin``: builds, trains, evaluates, compares and searches indexes of labelled photos."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ml.errors import MLError, TooFewCasesError
from ml.models.registry import find
from ml.models.store import ModelStore
from scin.build.progress import ProgressLine, Stages
from scin.index.choose import encoder_of
from scin.index.manifest import read_manifest, verify_files
from scin.index.vectors import kinds
from scin.sample import DEFAULT_CASES, DEFAULT_SEED, NAME, build_sample, is_current
from storage import Storage, StorageError, open_storage

if TYPE_CHECKING:
    from ml.models.encoder import Encoder
    from scin.build.ray_engine import RayEngine
    from scin.index.manifest import Manifest
    from settings import Settings


#: the exit status if there are too few labelled cases: another run changes nothing
TOO_FEW_STATUS = 3


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Returns 0, or 1 after an error (one line on stderr), or 3 if there are too few labelled cases, or
    130 if it was interrupted."""
    from scin.build import BuildError
    from settings import Settings

    settings = Settings.load()
    options = _parser(settings).parse_args(arguments)
    try:
        options.run(settings, options)
    except (MLError, StorageError, BuildError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return TOO_FEW_STATUS if isinstance(error, TooFewCasesError) else 1
    except KeyboardInterrupt:
        print(f"\nstopped{options.after_stop}", file=sys.stderr)
        return 130
    return 0


def _sample(settings: Settings, options: argparse.Namespace) -> None:
    spec = find(settings.building_encoder, "encoder")
    manifest = ModelStore(settings.models_dir).manifest(spec)
    is_default = options.cases == DEFAULT_CASES and options.seed == DEFAULT_SEED
    if is_default and not options.force and is_current(options.out, manifest.fingerprint, spec.output_dim):
        print(f"{options.out}: already built")
        return
    built = build_sample(
        options.dataset,
        options.out,
        _encoder(settings),
        cases=options.cases,
        seed=options.seed,
        progress=ProgressLine(),
    )
    _report(options.out, built)


def _build(settings: Settings, options: argparse.Namespace) -> None:
    from scin.build import build, shard_folder

    show, stages, store = ProgressLine(), Stages(), open_storage(options.source)
    encoder = _encoder(settings, options.encoder)
    cluster = _ray_engine(settings, options.encoder, store, encoder) if options.engine == "ray" else None
    manifest = build(
        store,
        options.out,
        encoder,
        name=options.name or options.out.resolve().name,
        limit=options.limit,
        progress=partial(show, "embed"),
        kind=options.kind,
        shards=shard_folder(options.out),
        resume=options.resume,
        stages=stages,
        engine=cluster,
    )
    _report(options.out, manifest)
    print(stages)
    for node, photos in cluster.nodes.items() if cluster is not None else ():
        print(f"  node {node[:12]} embedded {photos:,} photos")


def _ray_engine(settings: Settings, name: str, store: Storage, encoder: Encoder) -> RayEngine:
    try:
        from scin.build.ray_engine import RayEngine
    except ModuleNotFoundError as error:
        raise MLError(f"{error.name} is missing. Install it: pip install -r requirements-ray.txt") from error
    from ml.models.loading import load_encoder

    models_dir = settings.models_dir.resolve()  # absolute: Ray's processes have another working folder
    make_encoder = partial(load_encoder, models_dir, name, threads=1)
    return RayEngine(store, make_encoder, encoder, settings.ray_address)


def _import(_: Settings, options: argparse.Namespace) -> None:
    from scin.importing.command import run

    run(options, print)


def _verify(_: Settings, options: argparse.Namespace) -> None:
    manifest = read_manifest(options.index)
    verify_files(options.index, manifest)
    print(f"{options.index}: {len(manifest.files)} files match their sha256")


def _info(_: Settings, options: argparse.Namespace) -> None:
    print(json.dumps(asdict(read_manifest(options.index)), indent=1, ensure_ascii=False))


def _search(settings: Settings, options: argparse.Namespace) -> None:
    from ml.imaging.decode import decode
    from scin.index.search import load_index

    encoder = _encoder(settings, encoder_of(options.index, read_manifest(options.index)))
    index = load_index(options.index, encoder_fingerprint=encoder.fingerprint, dimension=encoder.dimension)
    found = index.search(encoder.embed([decode(path.read_bytes()).rgb for path in options.images]), options.k)
    if index.info.synthetic:
        print("This index is synthetic: its names show the format and have no medical meaning.", file=sys.stderr)
    for case in found.cases:
        labels = ", ".join(f"{name} {weight:.2f}" for name, weight in case.differential.items())
        print(f"{case.similarity:6.3f}  {case.case_id:>20}  {labels}")


def _evaluate(settings: Settings, options: argparse.Namespace) -> None:
    try:
        from scin.evaluate.run import ask_index, evaluate_index, is_evaluated
    except ModuleNotFoundError as error:
        raise MLError(f"{error.name} is missing. Install it: pip install -r requirements-scin.txt") from error

    progress, out = ProgressLine(), options.out or settings.var / "evaluation" / options.index.resolve().name
    chosen = {"seed": options.seed, "resamples": options.resamples, "progress": progress}
    if options.queries is None or not is_evaluated(options.index):
        evaluate_index(options.index, out, write=not options.report_only, **chosen)
        print((out / "leaderboard.md").read_text(encoding="utf-8"))
    if options.queries is not None:
        encoder = _encoder(settings, encoder_of(options.index, read_manifest(options.index)))
        ask_index(options.index, out, options.queries, encoder, **chosen)
        print((out / "queries.md").read_text(encoding="utf-8"))
    print(f"{out}: the report")


def _compare(settings: Settings, options: argparse.Namespace) -> None:
    try:
        from scin.evaluate.run import compare_indexes
    except ModuleNotFoundError as error:
        raise MLError(f"{error.name} is missing. Install it: pip install -r requirements-scin.txt") from error

    reports, pair = settings.var / "evaluation", (options.first, options.second)
    out = options.out or reports / "-and-".join(one.resolve().name for one in pair)
    print(compare_indexes(*pair, reports, out, seed=options.seed, resamples=options.resamples))
    print(f"{out}: the comparison")


def _train(settings: Settings, options: argparse.Namespace) -> None:
    try:
        from scin.train.run import Options, train
    except ModuleNotFoundError as error:
        raise MLError(f"{error.name} is missing. Install it: pip install -r requirements-scin.txt") from error

    chosen = Options(options.minutes, options.epochs, options.seed, options.limit, options.force)
    outcome = train(open_storage(options.source), options.out, settings.models_dir, chosen, ProgressLine())
    if not outcome.new:
        print(f"{options.out}: the training is already finished")
    print(outcome.verdict)
    if outcome.compiled is not None:
        print(f"{options.out}: {outcome.compiled}")
    what = "the encoder, its card and the report" if outcome.adopted else "the report; no encoder was written"
    print(f"{options.out}: {what}")


def _encoder(settings: Settings, name: str | None = None) -> Encoder:
    from ml.models.loading import load_encoder

    return load_encoder(settings.models_dir, name or settings.building_encoder, threads=1)


def _report(folder: Path, manifest: Manifest) -> None:
    kind = "synthetic cases" if manifest.synthetic else "cases"
    print(f"{folder}: {manifest.cases} {kind}, {manifest.images} photos, {manifest.vectors} vectors")
    for reason, count in manifest.skipped.items():
        print(f"  skipped: {count} × {reason}")


def _parser(settings: Settings) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scin", description=__doc__)
    parser.set_defaults(after_stop="")
    commands = parser.add_subparsers(required=True)

    sample = commands.add_parser("sample", help="generate the embedded sample and index it")
    sample.add_argument("--cases", type=_positive, default=DEFAULT_CASES)
    sample.add_argument("--seed", type=int, default=DEFAULT_SEED)
    sample.add_argument("--dataset", type=Path, default=settings.var / NAME, help="folder for the photos")
    sample.add_argument("--out", type=Path, default=settings.var / "index" / NAME, help="folder for the index")
    sample.add_argument("--force", action="store_true", help="build again even if it is already built")
    sample.set_defaults(run=_sample)

    from scin.importing.command import add_options

    importing = commands.add_parser("import", help="make a dataset in SCIN's layout from labelled photos")
    add_options(importing)
    importing.set_defaults(run=_import)

    build = commands.add_parser("build", help="index a dataset in SCIN's layout")
    build.add_argument("--source", default=settings.scin_bucket_path, help="folder, gs:// or s3:// address")
    build.add_argument("--out", type=Path, required=True, help="folder for the index; its shards go beside it")
    build.add_argument("--name", help="default: the folder's name")
    build.add_argument("--limit", type=_positive, metavar="N", help="only the first N labelled cases")
    build.add_argument(
        "--index", dest="kind", choices=("auto", *kinds()), default="auto", help="auto: depends on the number of photos"
    )
    build.add_argument(
        "--engine", choices=("local", "ray"), default="local", help="embed in this process or on a Ray cluster"
    )
    build.add_argument(
        "--encoder",
        default=settings.building_encoder,
        metavar="NAME_OR_FOLDER",
        help="default: DERMSERVE_ENCODER, or efficientnet-lite0",
    )
    build.add_argument("--resume", action="store_true", help="keep the photos that an earlier run embedded")
    build.set_defaults(run=_build, after_stop=": run the same command with --resume to continue")

    train = commands.add_parser("train", help="train the encoder on a dataset's labelled cases")
    train.add_argument("--source", default=settings.scin_bucket_path, help="folder, gs:// or s3:// address")
    train.add_argument("--out", type=Path, required=True, help="folder for the encoder; unfinished work goes beside it")
    train.add_argument(
        "--minutes", type=_positive_number, help="time for all of it (default: 50, or what --epochs take)"
    )
    train.add_argument("--epochs", type=_positive, metavar="N", help="at most; default: as many as fit into the time")
    train.add_argument("--seed", type=int, default=1)
    train.add_argument("--limit", type=_positive, metavar="N", help="only the first N labelled cases")
    train.add_argument("--force", action="store_true", help="forget an earlier training in the same folder")
    train.set_defaults(run=_train, after_stop=": run the same command again to continue")

    for name, run, text in (("verify", _verify, "check every file's digest"), ("info", _info, "print the manifest")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--index", type=Path, default=settings.var / "index" / NAME)
        command.set_defaults(run=run)

    _add_measuring(commands, settings)

    search = commands.add_parser("search", help="find similar cases for the photos of one case")
    search.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    search.add_argument("--index", type=Path, default=settings.var / "index" / NAME)
    search.add_argument("-k", type=_positive, default=5)
    search.set_defaults(run=_search)
    return parser


def _add_measuring(commands: argparse._SubParsersAction[argparse.ArgumentParser], settings: Settings) -> None:
    evaluate = commands.add_parser("evaluate", help="measure an index, and choose and calibrate its vote")
    evaluate.add_argument("--index", type=Path, default=settings.var / "index" / NAME)
    evaluate.add_argument("--out", type=Path, help="folder for the report; default: evaluation/ beside the indexes")
    evaluate.add_argument("--seed", type=int, default=1)
    evaluate.add_argument("--resamples", type=_positive, default=1000, help="number of bootstrap resamples")
    writing = evaluate.add_mutually_exclusive_group()
    writing.add_argument("--report-only", action="store_true", help="do not change the index")
    writing.add_argument("--queries", type=Path, help="your labelled photos: one folder for each label, or a CSV file")
    evaluate.set_defaults(run=_evaluate)

    compare = commands.add_parser("compare", help="show how two evaluated indexes differ on the same cases")
    compare.add_argument("first", type=Path, metavar="I1", help="an evaluated index, or the folder of its report")
    compare.add_argument("second", type=Path, metavar="I2")
    compare.add_argument("--out", type=Path, help="folder for the report; default: evaluation/I1-and-I2")
    compare.add_argument("--seed", type=int, default=1)
    compare.add_argument("--resamples", type=_positive, default=1000, help="number of bootstrap resamples")
    compare.set_defaults(run=_compare)


def _positive_number(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
