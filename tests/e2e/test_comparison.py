"""Two photos of the same skin over a real socket: what is compared, and what is refused."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from ml.values import RGB
from scin.synthetic import CaseSpec, plan_cases
from scin.synthetic.render import render_view
from scin.synthetic.skin import grow_skin
from tests.e2e.server import Server
from tests.e2e.test_bad_input import assert_error

COMPARE = "/api/compare/skin"


def plan(condition: str, place: int = 0) -> CaseSpec:
    cases = [spec for spec in plan_cases(300, 5) if spec.condition == condition and spec.quality == "sufficient"]
    return [spec for spec in cases if spec.views[0].shot_type == "CLOSE_UP"][place]


def png(rgb: RGB) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG")
    return buffer.getvalue()


@cache
def psoriasis(place: int = 0, blood: float = 1.0) -> bytes:
    """A photo of generated skin whose lesions have ``blood`` times their redness."""
    spec = plan("Psoriasis", place)
    skin = grow_skin(spec)
    changes = skin.changes.copy()
    changes[..., 1] *= np.float32(blood)
    return png(render_view(spec, replace(skin, changes=changes), 0).rgb)


def compare(server: Server, before: bytes, after: bytes, **fields: str) -> requests.Response:
    files = {"before": ("1.png", before), "after": ("2.png", after)}
    return requests.post(server.url + COMPARE, files=files, data={"modality": "close_up", **fields}, timeout=120)


def compared(server: Server, before: bytes, after: bytes, **fields: str) -> dict[str, Any]:
    response = compare(server, before, after, **fields)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_redder_lesions_are_found(server: Server) -> None:
    found = compared(server, psoriasis(), psoriasis(blood=1.4), before_date="2026-01-01", after_date="2026-01-15")
    changes = {one["code"]: one["change"] for one in found["measures"]}
    assert found["same_place"]["verdict"] == "same"
    assert changes["redness_contrast"] == "higher"
    assert "redness" in found["summary"]["headline"]
    assert found["interval_days"] == 14
    assert found["timings_ms"]["align"] > 0


def test_the_same_photo_has_no_change(server: Server) -> None:
    found = compared(server, psoriasis(), psoriasis())
    assert found["same_place"]["verdict"] == "same"
    assert {one["change"] for one in found["measures"]} == {"no_detectable_change"}


def test_other_skin_is_not_compared(server: Server) -> None:
    found = compared(server, psoriasis(), psoriasis(1))
    assert found["same_place"]["verdict"] != "same"
    assert {one["change"] for one in found["measures"]} <= {"not_comparable"}
    assert all(one["reason"]["message"] for one in found["measures"])


def test_overlays_come_only_on_request(server: Server) -> None:
    assert "overlays" not in compared(server, psoriasis(), psoriasis())
    overlays = compared(server, psoriasis(), psoriasis(), explain="true")["overlays"]
    sizes = {
        Image.open(io.BytesIO(base64.b64decode(overlays[name].split(",")[1]))).size for name in ("before", "after")
    }
    assert sizes == {Image.open(io.BytesIO(psoriasis())).size}


def test_json_is_read(server: Server) -> None:
    text = base64.b64encode(psoriasis()).decode()
    sent = {"before": text, "after": f"data:image/png;base64,{text}", "modality": "close_up"}
    response = requests.post(server.url + COMPARE, json=sent, timeout=120)
    assert response.json()["same_place"]["verdict"] == "same"


@pytest.mark.parametrize("missing", ["before", "after"])
def test_a_missing_photo_is_refused(server: Server, missing: str) -> None:
    files = {"before": psoriasis(), "after": psoriasis()}
    del files[missing]
    response = requests.post(server.url + COMPARE, files=files, timeout=60)
    assert_error(response, 400)
    assert f"'{missing}'" in response.json()["error"]["message"]


@pytest.mark.parametrize(("name", "place"), [("before", 0), ("after", 1)])
def test_a_damaged_photo_is_refused_by_name(server: Server, name: str, place: int) -> None:
    photos = [psoriasis(), psoriasis()]
    photos[place] = photos[place][: len(photos[place]) // 2]
    response = compare(server, photos[0], photos[1])
    assert_error(response, 422)
    assert response.json()["error"]["details"]["photo"] == name


def test_a_body_over_the_limit_is_refused(server: Server) -> None:
    assert_error(compare(server, psoriasis(), bytes(101 * 2**20)), 413)


def test_dates_in_the_wrong_order_are_refused(server: Server) -> None:
    response = compare(server, psoriasis(), psoriasis(), before_date="2026-02-01", after_date="2026-01-01")
    assert_error(response, 422)
    assert "later" in response.json()["error"]["message"]
