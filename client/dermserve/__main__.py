"""The command ``dermserve photo.jpg``: analyses photos and prints the answers."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

from rich.console import Console
from rich.progress import track

from .archive import Archive
from .calls import AnalysisFields
from .cases import CANNOT, DONE, NO_ANSWER, REFUSED, STDIN, Case, Result, find
from .clients import DEFAULT_URL, Client
from .errors import ClientError
from .output import printer
from .table import KINDS
from .version import __version__

_FIELDS = (
    *("age", "sex", "body_site", "modality", "pixels_per_mm"),
    *("reference", "white_point", "reflectance", "k", "detail"),
)
_MOST_VIEWS = 3
_KINDS = ", ".join(f"{code} ({words})" for code, words in KINDS.items())
_STATUSES = (
    f"Exit status: {DONE} all photos were analysed; {REFUSED} a photo was refused; "
    f"{CANNOT} a file or an argument cannot be used; {NO_ANSWER} the service cannot be reached or could not answer."
)
_FORM_HELP = {
    "full": "print the whole answer as a table",
    "json": "print the service's JSON; with several photos, as --jsonl",
    "jsonl": "print one JSON object per line: photo, status, answer, error",
    "csv": "print a table with one row per photo",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = _parser()
    wanted = parser.parse_args(arguments)
    errors = Console(stderr=True, soft_wrap=True)
    try:
        photos = list(find(wanted.photos))
    except OSError as error:
        errors.print(str(error), style="red", markup=False, highlight=False)
        return CANNOT
    _check(parser, wanted, photos)
    cases = [Case(tuple(photos))] if wanted.case else [Case((photo,)) for photo in photos]
    results = _results(wanted, cases)
    if len(cases) > 1 and errors.is_terminal:
        results = track(results, "Analysing", total=len(cases), console=errors)
    out = Console(color_system="auto" if wanted.form in (None, "full") else None)
    shown, counts = printer(wanted.form, out, several=len(cases) > 1), Counter[int]()
    for result in results:
        shown.show(result)
        if result.error is not None:
            errors.print(f"{result.case.name}: {result.error}", style="red", markup=False, highlight=False)
        counts[result.status] += 1
    shown.finish(counts)
    return max(counts)


def _check(parser: argparse.ArgumentParser, wanted: argparse.Namespace, photos: Sequence[Path]) -> None:
    """End the command if its arguments do not fit together."""
    if wanted.case and len(photos) > _MOST_VIEWS:
        parser.error(f"one case has at most {_MOST_VIEWS} photos")
    if photos.count(STDIN) > 1:
        parser.error("standard input holds one photo: give - once")
    if wanted.explain and not wanted.out:
        parser.error("--explain needs --out, the folder for its pictures")


def _results(wanted: argparse.Namespace, cases: Sequence[Case]) -> Iterable[Result]:
    """Send ``wanted.jobs`` cases in parallel. Yields the results in the order of ``cases``."""
    archive = Archive(wanted.out) if wanted.out else None
    fields = _fields(wanted)

    def ask(case: Case) -> Result:
        try:
            photos = case.read()
            if archive is None:
                return Result(case, client.analyze(photos, **fields))
            place = archive.place(case.stem, photos, {**fields, "language": wanted.language})
            answer = archive.load(place)
            if answer is None:
                answer = client.analyze(photos, **fields)
                archive.save(place, case.name, photos, answer)
            return Result(case, answer)
        except (ClientError, OSError) as error:
            return Result(case, error=error)

    options = {"key": wanted.key, "patience_s": wanted.patience, "language": wanted.language}
    with Client(wanted.url, **options) as client, ThreadPoolExecutor(wanted.jobs) as pool:
        yield from pool.map(ask, cases)


def _fields(wanted: argparse.Namespace) -> AnalysisFields:
    """The fields of the requests."""
    fields: dict[str, object] = {name: getattr(wanted, name) for name in _FIELDS}
    if wanted.detail is None and wanted.form == "full":
        fields["detail"] = "full"
    if wanted.out:
        fields["explain" if wanted.explain else "outline"] = True
    return cast(AnalysisFields, fields)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dermserve",
        description="Analyse photos of skin with a DermServe service. Not a medical device: it makes no diagnosis.",
        epilog=_STATUSES,
    )
    add = parser.add_argument
    add("--version", action="version", version=f"dermserve {__version__}")
    add("photos", nargs="+", type=Path, metavar="PHOTO", help="a photo, a folder of them, or - for standard input")
    add("--case", action="store_true", help="the photos (at most three) are views of one case")
    form = parser.add_mutually_exclusive_group()
    for name, text in _FORM_HELP.items():
        form.add_argument(f"--{name}", dest="form", action="store_const", const=name, help=text)
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="save answer, report and overlays there; what is there is not sent again",
    )
    add(
        "--explain",
        action="store_true",
        help="with --out: also heat maps of what the models looked at, which take longer",
    )
    add("--language", metavar="CODE", help="language of the summary: en or es")
    add("--age", type=float, metavar="YEARS", help="the person's age, 0 to 120")
    add("--sex", choices=("female", "male", "unknown"))
    add("--body-site", metavar="SITE", help="where the skin is: arm, face, back, …")
    add("--modality", choices=tuple(KINDS), help=f"what kind of photo it is: {_KINDS}")
    add("--pixels-per-mm", type=float, metavar="N", help="the photo's scale; needed for sizes in millimetres")
    cards = ("colour_checker", "grey_card")
    add("--reference", choices=cards, help="a colour card beside the skin; the skin tone is then measured")
    add(
        "--white-point", metavar="COLOUR", help="instead: the colour of a white or grey object beside the skin, #rrggbb"
    )
    add(
        "--reflectance",
        type=float,
        metavar="SHARE",
        help="how much light that object or the grey card reflects, 0.02 to 1",
    )
    add("-k", type=int, metavar="N", help="number of similar cases, 1 to 50 (default 5)")
    add(
        "--detail",
        choices=("summary", "standard", "full", "thorough"),
        help="how much the answer contains (default standard, with --full full); "
        "thorough is full, and also averages the dermatoscopic model over mirror images, which takes longer",
    )
    url, key = os.environ.get("DERMSERVE_URL", DEFAULT_URL), os.environ.get("DERMSERVE_KEY")
    add("--url", default=url, help=f"the service's address ({url}); DERMSERVE_URL in the environment also sets it")
    add("--key", default=key, help="API key; set DERMSERVE_KEY instead to hide it from other users of this machine")
    add("--patience", type=float, default=120, metavar="S", help="seconds to wait for a busy service (default 120)")
    add("--jobs", type=int, default=2, metavar="N", help="number of cases to send in parallel (default 2)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
