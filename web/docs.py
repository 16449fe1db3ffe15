"""The page at /api/docs: a first request, a form that runs, and the reference made from the OpenAPI document."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

from flask import render_template
from markupsafe import Markup, escape

from web.answers import AnalysisAnswer
from web.errors import ClientGoneError, entries
from web.reference import Field, Reference
from web.wire import From

_SNIPPETS = Path(__file__).parent / "snippets"
#: what the snippets have in place of the service's address and of a key
_ADDRESS = "http://127.0.0.1:8000"
_KEY = "YOUR_KEY"
_ANALYSIS = "analyze_skin"
#: fields of an analysis that the form offers
_IN_FORM = ("detail", "modality", "body_site", "age", "sex", "pixels_per_mm", "explain")
_CODE = re.compile(r"`+([^`]+)`+")


def docs_page(document: dict[str, Any], address: str) -> str:
    """The page, whose examples call the service at ``address``, such as "https://skin.example.org"."""
    reference = Reference(document)
    analysis = reference.operations[_ANALYSIS]
    return render_template(
        "docs.html",
        address=address,
        analysis=analysis,
        common_statuses=reference.common_statuses,
        as_json=partial(json.dumps, indent=2, ensure_ascii=False),
        document=document,
        errors=[one for one in entries() if one.status != ClientGoneError.status],
        form_fields=_form_fields(analysis.fields),
        headers=reference.headers,
        inlined=reference.inlined,
        meaning=reference.meaning,
        key=_KEY if analysis.needs_key else None,
        objects=reference.objects,
        operations=reference.operations,
        paths=[one.path for one in reference.operations.values() if one.id.startswith(_ANALYSIS)],
        snippet=partial(_snippet, address=address, with_key=analysis.needs_key),
        summary_example=_summary_of(analysis.answers[0].example),
        with_code=_with_code,
    )


def _snippet(file: str, *, address: str, with_key: bool) -> str:
    """The code of a snippet for this service. Lines with a key are left out where the service needs none."""
    lines = (_SNIPPETS / file).read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if with_key or _KEY not in line).replace(_ADDRESS, address)


def _form_fields(fields: tuple[Field, ...]) -> list[Field]:
    by_name = {one.name: one for one in fields}
    return [by_name[name] for name in _IN_FORM if name in by_name]


def _summary_of(example: dict[str, object]) -> dict[str, object]:
    """What an answer has of ``example`` with ``detail=summary``."""
    in_every_detail = {
        name
        for name, field in AnalysisAnswer.model_fields.items()
        if not any(isinstance(mark, From) for mark in field.metadata)
    }
    return {name: value for name, value in example.items() if name in in_every_detail}


def _with_code(text: str) -> Markup:
    """``text`` as HTML, with what is in backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - the text is escaped
