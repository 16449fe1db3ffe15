"""What the command prints about results. Every sentence about skin comes from the answer."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping

from rich.console import Console

from .cases import DONE, STATUSES, Result
from .table import render

#: the columns of --csv
COLUMNS = ("photo", "status", "headline", "certainty", "quality", "next_step", "limits", "error")


class Printer:
    """Prints the results of one command in one form. ``several``: whether there is more than one case."""

    def __init__(self, out: Console, *, several: bool) -> None:
        self.out = out
        self.several = several

    def show(self, result: Result) -> None:
        """Print one result."""

    def finish(self, counts: Mapping[int, int]) -> None:
        """Print what comes at the end. ``counts``: exit status → number of cases."""

    def plain(self, text: str) -> None:
        self.out.print(text, markup=False, highlight=False, soft_wrap=True)


class Lines(Printer):
    """One line for each case, and a total. For a single case also the next step and the limits."""

    _disclaimer = ""

    def show(self, result: Result) -> None:
        if result.answer is None:
            return
        summary = result.answer.summary
        self.plain(f"{result.case.name}: {summary.headline} ({summary.certainty}; photo quality {_quality(result)})")
        if not self.several:
            self.plain(f"  {summary.next_step}")
            self.plain(f"  {summary.limits}")
        self._disclaimer = result.answer.disclaimer

    def finish(self, counts: Mapping[int, int]) -> None:
        if self.several:
            parts = [f"{counts[status]} {word}" for status, word in STATUSES.items() if counts.get(status)]
            self.plain(f"{sum(counts.values())} photos: {', '.join(parts)}.")
        if self._disclaimer:
            self.plain(self._disclaimer)


class Tables(Printer):
    """The whole answer of each case as a table."""

    def show(self, result: Result) -> None:
        if result.answer is not None:
            self.out.print(render(result.case.name, result.answer))


class Json(Printer):
    """The service's own JSON of the only case."""

    def show(self, result: Result) -> None:
        self.plain(json.dumps(result.body, ensure_ascii=False, indent=2))


class JsonLines(Printer):
    """One object for each case, with the same fields whether it was analysed or failed."""

    def show(self, result: Result) -> None:
        answer, error = (None, result.body.get("error")) if result.answer is None else (result.body, None)
        line = {"photo": result.case.name, "status": STATUSES[result.status], "answer": answer, "error": error}
        self.plain(json.dumps(line, ensure_ascii=False))


class Csv(Printer):
    """One row for each case, with the same columns whether it was analysed or failed."""

    def __init__(self, out: Console, *, several: bool) -> None:
        super().__init__(out, several=several)
        self._rows = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n", extrasaction="ignore")
        self._rows.writeheader()

    def show(self, result: Result) -> None:
        summary = result.answer.summary.model_dump() if result.answer else {}
        row = {**summary, "photo": result.case.name, "status": STATUSES[result.status], "error": result.error or ""}
        self._rows.writerow(row | {"quality": _quality(result) if result.status == DONE else ""})
        sys.stdout.flush()


#: option → what prints its form
FORMS: Mapping[str, type[Printer]] = {"full": Tables, "json": Json, "jsonl": JsonLines, "csv": Csv}


def printer(form: str | None, out: Console, *, several: bool) -> Printer:
    """The printer of a form. ``json`` of several cases is JSON lines."""
    kind = Lines if form is None else FORMS["jsonl" if form == "json" and several else form]
    return kind(out, several=several)


def _quality(result: Result) -> str:
    score = result.answer.quality.score if result.answer else None
    return "unknown" if score is None else f"{score:.0f} of 100"
