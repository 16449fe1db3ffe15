"""``python -m scin import``: its options, its questions and what it prints."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ml.values import CLINICAL, DERMATOSCOPIC, PHOTO_KINDS
from scin.build import BuildError
from scin.build.progress import ProgressLine
from scin.facts import DatasetFacts, credit
from scin.importing import Report, import_dataset
from scin.labelled_photos import Source
from scin.labels import read_names

_MOST_LABELS = 12
_KIND = "--kind clinical (ordinary photos) or --kind dermatoscopic (taken through a dermatoscope)"

Say = Callable[[str], None]


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("source", type=Path, help="a folder with one folder for each label, or a CSV file")
    command.add_argument("--out", type=Path, required=True, help="folder for the dataset in SCIN's layout")
    command.add_argument("--photos", type=Path, help="the folder of a CSV file's photos; default: that of the file")
    command.add_argument("--name", help="the dataset's name")
    command.add_argument("--licence", help="such as CC BY 4.0, or: own photos, not for publication")
    command.add_argument("--attribution", help="the authors or the citation that the licence asks for")
    command.add_argument("--source-url", default="", help="where the photos come from")
    command.add_argument("--kind", choices=PHOTO_KINDS, help="ordinary photos, or taken through a dermatoscope")
    command.add_argument("--labels", type=Path, help="CSV file with the columns label and name: your own names")


def run(options: argparse.Namespace, say: Say) -> None:
    """Import as the options say. Raises MLError, BuildError or OSError."""
    source = Source(options.source, options.photos)
    names = read_names(options.labels) if options.labels else None
    stated = sorted({row.licence for row in source.rows()} - {""})
    facts = DatasetFacts(
        credit(
            name=options.name or _ask("name", "The dataset's name"),
            licence=options.licence or ", ".join(stated) or _ask("licence", "Its licence"),
            citation=options.attribution or _ask("attribution", "Whom to name: the authors or the citation"),
            source=options.source_url,
        ),
        options.kind or source.kind or _ask("kind", f"The kind of photos, {CLINICAL} or {DERMATOSCOPIC}", PHOTO_KINDS),
    )
    report = import_dataset(source, options.out, facts, names=names, progress=partial(ProgressLine(), "import"))
    _show(report, options.out, facts, say)


def _ask(option: str, question: str, allowed: tuple[str, ...] = ()) -> str:
    """The answer on the terminal. Raises BuildError, which names the option, if there is no terminal."""
    advice = _KIND if option == "kind" else f'--{option} "…"'
    if not sys.stdin.isatty():
        raise BuildError(f"{question} is not stated. Add {advice}.")
    try:
        answer = input(f"{question}: ").strip()
    except EOFError:
        answer = ""
    if not answer or (allowed and answer not in allowed):
        raise BuildError(f"{question} is needed. Run the command again, or add {advice}.")
    return answer


def _show(report: Report, out: Path, facts: DatasetFacts, say: Say) -> None:
    patients = f", {report.patients} patients" if report.patients else ""
    say(f"{out}: {report.cases} cases, {report.photos} photos{patients}, {len(report.labels)} conditions")
    say(f"  {facts.attribution['dataset']}, {facts.attribution['licence']}; {facts.photo_kind} photos")
    for name, count in list(report.labels.items())[:_MOST_LABELS]:
        say(f"  {count:>6} × {name}")
    if len(report.labels) > _MOST_LABELS:
        say(f"  and {len(report.labels) - _MOST_LABELS} other conditions")
    for note, count in report.notes.items():
        say(f"  {note}: {count}")
    for reason, count in report.skipped.items():
        say(f"  skipped: {count} × {reason}")
