"""A report as sections of text, tables and plots, written as Markdown and as one HTML page.

The page needs no other file, no script and no network.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from scin.evaluate.metrics import Figure

TOO_FEW_TEXT = "too few"
_BREAKS = re.compile(r"\s+")
_TEMPLATE = "page.html"
_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


class Cell(NamedTuple):
    """A table cell: a value and its interval, such as "[0.757, 0.849]", or "" if it has none."""

    value: str
    interval: str = ""

    def __str__(self) -> str:
        return f"{self.value} {self.interval}".rstrip()


Row = Sequence[str | Cell]


@dataclass(frozen=True)
class Table:
    """Each row has one cell for each name in ``head``; its first cell is the heading of the row.

    ``note`` explains the table; it stands above it. ``explained``: the last column is a sentence, which stands below
    its row where there is little room.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    explained: bool = False


@dataclass(frozen=True)
class Picture:
    """A plot as an SVG document. ``alt`` says in words what it shows. ``wide``: too wide for a phone, where it scrolls.
    Markdown leaves it out."""

    svg: str
    alt: str
    wide: bool


@dataclass(frozen=True)
class Section:
    """``text``: paragraphs. ``command``: a line for a shell."""

    title: str
    text: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    command: str = ""


@dataclass(frozen=True)
class Report:
    """``lead`` is the sentence below the title. ``warning``: a paragraph that a reader must not miss, or ""."""

    title: str
    lead: str
    warning: str
    sections: tuple[Section, ...]


def table(head: Sequence[str], rows: Iterable[Row], note: str = "", *, explained: bool = False) -> Table:
    """A table of texts and cells (see ``Table``)."""
    cells = tuple(tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in row) for row in rows)
    return Table(tuple(head), cells, note, explained)


def figure_cell(figure: Figure, digits: int = 3, *, signed: bool = False) -> Cell:
    """A figure with its interval, or "too few". ``signed`` shows the sign of positive values, for differences."""
    if figure.value is None:
        return Cell(TOO_FEW_TEXT)
    form = f"{'+' if signed else ''}.{digits}f"
    return Cell(f"{figure.value:{form}}", f"[{figure.low:{form}}, {figure.high:{form}}]")


def markdown(report: Report, sections: int | None = None) -> str:
    """The report, or only its first ``sections``, as GitHub-flavoured Markdown."""
    lines = [f"# {_plain(report.title)}", "", _plain(report.lead)]
    if report.warning:
        lines += ["", f"**{_plain(report.warning)}**"]
    for section in report.sections[:sections]:
        lines += ["", f"## {_plain(section.title)}"]
        for paragraph in section.text:
            lines += ["", _plain(paragraph)]
        if section.command:
            lines += ["", "```", section.command, "```"]
        for shown in section.tables:
            lines += markdown_table(shown)
    return "\n".join(lines) + "\n"


def markdown_table(shown: Table) -> list[str]:
    """The lines of a Markdown table, after an empty line."""
    note = ["", _plain(shown.note)] if shown.note else []
    return [*note, "", _row(shown.head), "|" + "---|" * len(shown.head), *map(_row, shown.rows)]


def _row(cells: Row) -> str:
    return "| " + " | ".join(_plain(str(cell)).replace("|", "\\|") for cell in cells) + " |"


def _plain(words: str) -> str:
    """Text of a dataset stays on its line and starts no HTML element."""
    return _BREAKS.sub(" ", words).replace("<", "&lt;")


def html(report: Report) -> str:
    """The page. All text is escaped. The same report gives the same bytes."""
    return _environment.get_template(_TEMPLATE).render(
        report=report,
        anchors=[_anchor(number, section.title) for number, section in enumerate(report.sections, start=1)],
        too_few=TOO_FEW_TEXT,
        data_uri=_data_uri,
    )


def _anchor(number: int, title: str) -> str:
    words = "-".join(re.findall(r"[a-z0-9]+", title.lower()))
    return f"s{number}-{words}"


def _data_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
