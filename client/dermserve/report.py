"""One answer as a page of HTML that needs no other file: for printing, and to hand on."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from .models import AnalysisAnswer, Condition, Measurement, Overlay, Prediction, Problem
from .table import likelihood, named, number, place, plain, quantity, share

#: first bytes → media type, of the photos that browsers show
_SHOWN = {b"\xff\xd8": "image/jpeg", b"\x89PNG": "image/png", b"GIF8": "image/gif", b"RIFF": "image/webp"}
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #1c1c1c }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
figure { position: relative; margin: 1rem 0 } figure img { display: block; max-width: 100%; max-height: 24rem }
figure img + img { position: absolute; inset: 0 auto auto 0; height: 100% }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .2rem .6rem .2rem 0 }
.next { font-weight: 600 } .quiet { color: #555 }
@media print { body { margin: 0; font-size: 11pt } h2 { break-after: avoid } tr { break-inside: avoid } }
"""


def report(name: str, photo: bytes, answer: AnalysisAnswer) -> str:
    """The page for one case. ``photo``: the bytes of its first photo."""
    language = escape(answer.language)
    body = "\n".join(_parts(name, photo, answer))
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{escape(name)}</title>\n'
        f'<style>{_STYLE}</style>\n<body lang="{language}">\n{body}\n</body>\n</html>\n'
    )


def _parts(name: str, photo: bytes, answer: AnalysisAnswer) -> Iterator[str]:
    summary = answer.summary
    yield f"<h1>{escape(summary.headline)}</h1>"
    yield _text(summary.next_step, "next")
    yield _list(f"{one.text} ({one.certainty})" for one in summary.findings or [])
    yield _text(summary.limits)
    yield _pictures(photo, answer.overlays or [])
    yield from _problems(answer.quality.problems or [])
    yield from _names("Conditions of similar cases", [(one, likelihood(one)) for one in answer.conditions or []])
    predictions = (answer.lesion and answer.lesion.predictions) or []
    yield from _names("Kinds of spot", [(one, one.probability) for one in predictions])
    yield from _measurements((answer.skin and answer.skin.measurements) or [])
    yield from _method(name, answer)
    yield _text(answer.disclaimer, "quiet")


def _pictures(photo: bytes, overlays: Sequence[Overlay]) -> str:
    """The photo with what was found drawn on it, and again with each other overlay."""
    media_type = next((kind for start, kind in _SHOWN.items() if photo.startswith(start)), None)
    if media_type is None:
        return _text("The photo has a format that browsers do not show.", "quiet")
    source = f"data:{media_type};base64,{base64.b64encode(photo).decode()}"
    plain_photo = f'<figure><img alt="The photo" src="{source}"></figure>'
    drawn = [
        f'<figure><img alt="" src="{source}"><img alt="" src="data:image/png;base64,{escape(one.data_base64)}">'
        f"<figcaption>{escape(plain(one.name))}</figcaption></figure>"
        for one in overlays
    ]
    return "\n".join([plain_photo, *drawn])


def _problems(problems: Sequence[Problem]) -> Iterator[str]:
    if problems:
        yield "<h2>The photo</h2>"
        yield _list(f"{one.message} {one.advice}" for one in problems)


def _names(title: str, rows: Sequence[tuple[Condition | Prediction, float | None]]) -> Iterator[str]:
    if rows:
        yield f"<h2>{title}</h2>"
        yield _table([named(one), share(probability)] for one, probability in rows)


def _measurements(measurements: Sequence[Measurement]) -> Iterator[str]:
    if measurements:
        yield "<h2>Measurements</h2>"
        yield _table(
            [
                one.label,
                f"{quantity(one.value, one.unit)} ± {number(one.uncertainty)}",
                place(one.region),
                one.direction or "",
            ]
            for one in measurements
        )


def _method(name: str, answer: AnalysisAnswer) -> Iterator[str]:
    yield "<h2>How this was made</h2>"
    rows = {
        "Photo": name,
        "Time": answer.timestamp,
        "DermServe": answer.version,
        "Models": ", ".join(f"{one.name} {one.version}" for one in answer.models or []),
        "Labelled cases": f"{answer.index.name}, {answer.index.dataset}" if answer.index else None,
        "Analysis": answer.analysis_id,
    }
    yield _table([title, value] for title, value in rows.items() if value)
    yield _list(answer.notes or [])


def _text(text: str | None, kind: str = "") -> str:
    return f'<p class="{kind}">{escape(text)}</p>' if text else ""


def _list(texts: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<ul>{items}</ul>" if items else ""


def _table(rows: Iterable[Sequence[str]]) -> str:
    cells = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
