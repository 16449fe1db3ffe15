"""docs/api.md names what there is."""

from __future__ import annotations

import re
from pathlib import Path

from flask.testing import FlaskClient

from settings import Settings
from web.errors import HTTP_FAILURES, STATUS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text()


def test_every_status_and_code_is_listed() -> None:
    rows = {int(status): codes for status, codes in re.findall(r"^\| (\d{3}) \| (.+) \|$", PAGE, re.MULTILINE)}
    listed = {(status, code) for status, codes in rows.items() for code in re.findall(r"`([a-z0-9_]+)`", codes)}
    unseen = {(499, "client_gone")}
    known = {*STATUS.values(), *((status, code) for status, (code, _) in HTTP_FAILURES.items())}
    assert listed == known - unseen - {(400, "bad_request")}


def test_every_address_is_listed(client: FlaskClient) -> None:
    for path in client.get("/api/openapi.json").get_json()["paths"]:
        assert re.sub(r"\{case_id\}/\{number\}", "<id>/<n>", path) in PAGE


def test_every_setting_that_is_named_exists() -> None:
    assert set(re.findall(r"DERMSERVE_[A-Z_]+", PAGE)) <= set(Settings.environment_names())
