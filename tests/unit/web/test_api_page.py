"""docs/api.md names what there is, and docs/errors.md is made from the code."""

from __future__ import annotations

import re
from pathlib import Path

from flask.testing import FlaskClient

from settings import Settings
from web.errors import markdown

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "api.md").read_text()


def test_the_page_of_errors_is_current() -> None:
    assert (DOCS / "errors.md").read_text() == markdown(), "run: python -m web.errors > docs/errors.md"


def test_every_address_is_listed(client: FlaskClient) -> None:
    for path in client.get("/api/openapi.json").get_json()["paths"]:
        assert re.sub(r"\{case_id\}/\{number\}", "<id>/<n>", path) in PAGE


def test_every_setting_that_is_named_exists() -> None:
    assert set(re.findall(r"DERMSERVE_[A-Z_]+", PAGE)) <= set(Settings.environment_names())
