"""``python -m client photo.jpg``: an analysis in the terminal.

Exit status: 0 all photos were analysed; 1 a photo was refused; 2 the command cannot be carried out as given;
3 the service cannot be reached, or could not answer.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from client.api import DEFAULT_URL, Client
from client.errors import ClientError, RefusedError
from client.photos import find, save_overlays
from client.table import render
from client.words import KINDS

_FIELDS = ("age", "sex", "body_site", "modality", "pixels_per_mm", "k")
_MOST_VIEWS = 3
_KINDS = ", ".join(f"{code} ({words})" for code, words in KINDS.items())


@dataclass(frozen=True)
class Result:
    """What became of one case: an answer, or an error."""

    photos: tuple[Path, ...]
    answer: dict[str, Any] | None = None
    error: Exception | None = None

    @property
    def status(self) -> int:
        if self.error is None:
            return 0
        return 1 if isinstance(self.error, RefusedError) else 2 if isinstance(self.error, OSError) else 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = _parser()
    wanted = parser.parse_args(arguments)
    complaints = Console(stderr=True, soft_wrap=True)
    try:
        photos = find(wanted.photos)
    except OSError as error:
        complaints.print(str(error), style="red", markup=False, highlight=False)
        return 2
    if wanted.case and len(photos) > _MOST_VIEWS:
        parser.error(f"one case has at most {_MOST_VIEWS} photos")
    cases = [tuple(photos)] if wanted.case else [(photo,) for photo in photos]
    out = Console(color_system=None if wanted.json else "auto", soft_wrap=wanted.json)
    worst = 0
    for result in _progress(_results(wanted, cases), len(cases), complaints):
        _tell(result, wanted, out, complaints, several=len(cases) > 1)
        worst = max(worst, result.status)
    return worst


def _results(wanted: argparse.Namespace, cases: Sequence[tuple[Path, ...]]) -> Iterable[Result]:
    """In the order of ``cases``; a few are asked for at once."""
    client = Client(wanted.url, key=wanted.key, patience_s=wanted.patience)
    fields: dict[str, object] = {name: getattr(wanted, name) for name in _FIELDS}
    fields["explain"] = True if wanted.explain else None

    def ask(photos: tuple[Path, ...]) -> Result:
        try:
            answer = client.analyze(photos, **fields)
            if wanted.explain:
                save_overlays(answer, wanted.explain, photos[0].stem)
            return Result(photos, answer)
        except (ClientError, OSError) as error:
            return Result(photos, error=error)

    with ThreadPoolExecutor(wanted.jobs) as pool:
        yield from pool.map(ask, cases)


def _progress(results: Iterable[Result], count: int, console: Console) -> Iterable[Result]:
    if count == 1 or not console.is_terminal:
        return results
    return track(results, "Analysing", total=count, console=console)


def _tell(result: Result, wanted: argparse.Namespace, out: Console, complaints: Console, *, several: bool) -> None:
    name = ", ".join(map(str, result.photos))
    if wanted.json:
        body = result.answer or _error_body(result.error)
        told = {"photo": name, **({"answer": body} if result.answer else body)} if several else body
        out.print(json.dumps(told, ensure_ascii=False, indent=None if several else 2), markup=False, highlight=False)
    elif result.answer is not None:
        out.print(render(name, result.answer))
    if result.error is not None:
        complaints.print(f"{name}: {result.error}", style="red", markup=False, highlight=False)


def _error_body(error: Exception | None) -> dict[str, Any]:
    """The service's error object, or one of its form."""
    body = error.body if isinstance(error, ClientError) else {}
    code = "unreadable_file" if isinstance(error, OSError) else "unreachable"
    return body or {"success": False, "error": {"code": code, "message": str(error), "details": {}}}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m client",
        description="Analyse photos of skin with a DermServe service. Not a medical device: it makes no diagnosis.",
        epilog="Exit status: 0 all analysed; 1 a photo was refused; 2 cannot be done as asked; 3 no answer.",
    )
    add = parser.add_argument
    add("photos", nargs="+", type=Path, metavar="PHOTO", help="a photo, or a folder of them")
    add("--case", action="store_true", help="the photos (at most three) are views of one case")
    add("--json", action="store_true", help="the answer as it was sent; of several photos one object a line")
    add("--explain", type=Path, metavar="DIR", help="ask for overlays, and save them there as PNG")
    add("--age", type=float, metavar="YEARS", help="of the person, 0 to 120")
    add("--sex", choices=("female", "male", "unknown"))
    add("--body-site", metavar="SITE", help="where the skin is: arm, face, back, …")
    add("--modality", choices=tuple(KINDS), help=f"what kind of photo it is: {_KINDS}")
    add("--pixels-per-mm", type=float, metavar="N", help="the photo's scale; without it nothing is in millimetres")
    add("-k", type=int, metavar="N", help="how many similar cases, 1 to 50 (5)")
    url = os.environ.get("DERMSERVE_URL", DEFAULT_URL)
    add("--url", default=url, help=f"of the service ({url}); DERMSERVE_URL in the environment does the same")
    key = os.environ.get("DERMSERVE_KEY")
    add(
        "--key", default=key, help="where the service asks for one; better in DERMSERVE_KEY, where others cannot see it"
    )
    add("--patience", type=float, default=120, metavar="S", help="seconds to wait for a busy service (120)")
    add("--jobs", type=int, default=2, metavar="N", help="photos that are sent at once (2)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
