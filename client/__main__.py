"""The command ``dermserve photo.jpg`` or ``python -m client photo.jpg``: analyses photos and prints the answers."""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from .api import DEFAULT_URL, Client, ClientError, RefusedError
from .table import KINDS, render

_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".mpo", ".heic", ".heif", ".avif")
)
_FIELDS = (
    *("age", "sex", "body_site", "modality", "pixels_per_mm"),
    *("reference", "white_point", "reflectance", "k", "detail"),
)
_MOST_VIEWS = 3
_KINDS = ", ".join(f"{code} ({words})" for code, words in KINDS.items())
_DONE, _REFUSED, _CANNOT, _NO_ANSWER = range(4)
_STATUSES = (
    f"Exit status: {_DONE} all photos were analysed; {_REFUSED} a photo was refused; "
    f"{_CANNOT} a file or an argument cannot be used; {_NO_ANSWER} the service cannot be reached or could not answer."
)


@dataclass(frozen=True)
class _Result:
    """The result of one case: an answer or an error."""

    photos: tuple[Path, ...]
    answer: dict[str, Any] | None = None
    error: ClientError | OSError | None = None

    @property
    def status(self) -> int:
        if self.error is None:
            return _DONE
        if isinstance(self.error, OSError):
            return _CANNOT
        return _REFUSED if isinstance(self.error, RefusedError) else _NO_ANSWER


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = _parser()
    wanted = parser.parse_args(arguments)
    errors = Console(stderr=True, soft_wrap=True)
    try:
        photos = list(_find(wanted.photos))
    except OSError as error:
        errors.print(str(error), style="red", markup=False, highlight=False)
        return _CANNOT
    if wanted.case and len(photos) > _MOST_VIEWS:
        parser.error(f"one case has at most {_MOST_VIEWS} photos")
    cases = [tuple(photos)] if wanted.case else [(photo,) for photo in photos]
    out = Console(color_system=None if wanted.json else "auto", soft_wrap=wanted.json)
    results = _results(wanted, cases)
    if len(cases) > 1 and errors.is_terminal:
        results = track(results, "Analysing", total=len(cases), console=errors)
    worst = _DONE
    for result in results:
        _print(result, out, errors, as_json=wanted.json, several=len(cases) > 1)
        worst = max(worst, result.status)
    return worst


def _find(paths: Iterable[Path]) -> Iterator[Path]:
    """The given files, and all photos (by suffix) in and below the given folders, sorted by name.

    Raises FileNotFoundError for a path that does not exist, and for a folder without photos.
    """
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"There is no file {path}.")
        if not path.is_dir():
            yield path
            continue
        inside = sorted(file for file in path.rglob("*") if file.is_file() and file.suffix.lower() in _SUFFIXES)
        if not inside:
            raise FileNotFoundError(f"There is no photo in {path} ({', '.join(sorted(_SUFFIXES))}).")
        yield from inside


def _results(wanted: argparse.Namespace, cases: Sequence[tuple[Path, ...]]) -> Iterable[_Result]:
    """Send ``wanted.jobs`` cases in parallel. Yields the results in the order of ``cases``."""
    client = Client(wanted.url, key=wanted.key, patience_s=wanted.patience)
    fields: dict[str, object] = {name: getattr(wanted, name) for name in _FIELDS}
    fields["explain"] = True if wanted.explain else None

    def ask(photos: tuple[Path, ...]) -> _Result:
        try:
            answer = client.analyze(photos, **fields)
            if wanted.explain:
                _save_overlays(answer, wanted.explain, photos[0].stem)
            return _Result(photos, answer)
        except (ClientError, OSError) as error:
            return _Result(photos, error=error)

    with ThreadPoolExecutor(wanted.jobs) as pool:
        yield from pool.map(ask, cases)


def _save_overlays(answer: Mapping[str, Any], folder: Path, stem: str) -> None:
    """Write an answer's overlays to ``folder`` as ``stem-name.png``, or ``stem-name-region.png`` for repeated names."""
    folder.mkdir(parents=True, exist_ok=True)
    overlays = answer.get("overlays") or []
    names = [overlay["name"] for overlay in overlays]
    for overlay in overlays:
        region = overlay.get("region") if names.count(overlay["name"]) > 1 else None
        parts = [re.sub(r"[^\w.]+", "_", part).strip(".") for part in (stem, overlay["name"], region) if part]
        # The replacement removes slashes, so that the service cannot choose another folder.
        (folder / ("-".join(parts) + ".png")).write_bytes(base64.b64decode(overlay["data_base64"]))


def _print(result: _Result, out: Console, errors: Console, *, as_json: bool, several: bool) -> None:
    name = ", ".join(map(str, result.photos))
    if as_json:
        body = result.answer or _error_body(result.error)
        line = {"photo": name, **({"answer": body} if result.answer else body)} if several else body
        out.print(json.dumps(line, ensure_ascii=False, indent=None if several else 2), markup=False, highlight=False)
    elif result.answer is not None:
        out.print(render(name, result.answer))
    if result.error is not None:
        errors.print(f"{name}: {result.error}", style="red", markup=False, highlight=False)


def _error_body(error: ClientError | OSError | None) -> dict[str, Any]:
    """The service's error object, or an object of the same form."""
    if isinstance(error, ClientError) and error.body:
        return error.body
    code = "unreadable_file" if isinstance(error, OSError) else "unreachable"
    return {"success": False, "error": {"code": code, "message": str(error), "details": {}}}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dermserve",
        description="Analyse photos of skin with a DermServe service. Not a medical device: it makes no diagnosis.",
        epilog=_STATUSES,
    )
    add = parser.add_argument
    add("photos", nargs="+", type=Path, metavar="PHOTO", help="a photo, or a folder of them")
    add("--case", action="store_true", help="the photos (at most three) are views of one case")
    add("--json", action="store_true", help="print the service's JSON; with several photos, one object per line")
    add("--explain", type=Path, metavar="DIR", help="request overlays and save them to this folder as PNG")
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
        choices=("standard", "full", "thorough"),
        help="how much the answer contains (default standard); "
        "thorough also averages the dermatoscopic model over mirror images, which takes longer",
    )
    url, key = os.environ.get("DERMSERVE_URL", DEFAULT_URL), os.environ.get("DERMSERVE_KEY")
    add("--url", default=url, help=f"the service's address ({url}); DERMSERVE_URL in the environment also sets it")
    add("--key", default=key, help="API key; set DERMSERVE_KEY instead to hide it from other users of this machine")
    add("--patience", type=float, default=120, metavar="S", help="seconds to wait for a busy service (default 120)")
    add("--jobs", type=int, default=2, metavar="N", help="number of cases to send in parallel (default 2)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
