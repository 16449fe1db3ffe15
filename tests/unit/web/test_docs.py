"""The page at /api/docs shows the whole document, and its examples call the service as its reader does."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.docs_page import DocsPage
from web.docs import docs_page
from web.errors import entries

MakeClient = Callable[..., FlaskClient]
DOCS = "/api/docs"
KEY = "0123456789abcdef"
SNIPPETS = Path(__file__).resolve().parents[3] / "web" / "snippets"


def page_of(client: FlaskClient, **arguments: Any) -> DocsPage:
    return DocsPage(client.get(DOCS, **arguments).text)


def test_it_is_self_contained_and_its_links_lead_somewhere(client: FlaskClient) -> None:
    response = client.get(DOCS)
    page = DocsPage(response.text)
    for asset in page.loaded:
        assert asset.startswith("/assets/")
        with client.get(asset) as answer:
            assert answer.status_code == 200
    assert page.inline == []
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    inner = {link.removeprefix("#") for link in page.links if link.startswith("#")}
    assert len(inner) > 20
    assert inner <= set(page.targets)
    assert len(set(page.targets)) == len(page.targets)
    for link in page.links - {f"#{one}" for one in inner}:
        with client.get(link) as answer:
            assert answer.status_code == 200, link


def test_its_colours_come_with_the_style_sheets_that_it_loads(client: FlaskClient) -> None:
    sheets = {}
    for asset in page_of(client).loaded:
        if asset.endswith(".css"):
            with client.get(asset) as answer:
                sheets[asset] = answer.text
    used = set(re.findall(r"var\((--[\w-]+)", sheets["/assets/docs.css"]))
    assert used <= set(re.findall(r"(--[\w-]+):", "".join(sheets.values())))


def test_it_shows_every_operation_object_and_error(client: FlaskClient) -> None:
    document, text = client.get("/api/openapi.json").get_json(), client.get(DOCS).text
    for path in document["paths"]:
        assert path in text
    for name, schema in document["components"]["schemas"].items():
        for field in schema.get("properties", {}):
            assert f"<code>{field}</code>" in text, f"{name}.{field}"
    for error in entries():
        assert (f"<code>{error.code}</code>" in text) == (error.code != "client_gone")


@pytest.mark.parametrize(
    ("settings", "headers", "address"),
    [
        ({}, {"Host": "127.0.0.1:8000"}, "http://127.0.0.1:8000"),
        ({}, {"Host": "[::1]:8000"}, "http://[::1]:8000"),
        ({}, {"Host": "skin.example.org", "X-Forwarded-Proto": "https"}, "http://skin.example.org"),
        ({"proxies": 2}, {"Host": "skin.example.org", "X-Forwarded-Proto": "https"}, "https://skin.example.org"),
    ],
)
def test_the_examples_call_the_reader_s_address(
    make_client: MakeClient, settings: dict[str, Any], headers: dict[str, str], address: str
) -> None:
    snippets = page_of(make_client(**settings), headers=headers).snippets
    for name in snippets.keys() - {"cors.sh"}:
        assert f"{address}/" in snippets[name], name


def test_a_host_that_is_no_host_is_not_repeated(client: FlaskClient) -> None:
    assert "$(id)" not in client.get(DOCS, headers={"Host": "a$(id)"}).text


def test_a_key_is_spoken_of_only_where_keys_are_set(make_client: MakeClient) -> None:
    with_keys, without = make_client(api_keys=KEY).get(DOCS).text, make_client().get(DOCS).text
    assert "YOUR_KEY" not in without
    assert 'id="try-key"' not in without
    assert 'id="try-key"' in with_keys
    assert KEY not in with_keys
    for name, code in DocsPage(with_keys).snippets.items():
        assert ("Bearer YOUR_KEY" in code) == (name not in ("cors.sh", "component.html")), name


def test_every_snippet_is_shown_where_the_service_has_its_operation(client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").get_json()
    absent = set()
    if "/api/analyze/skin/fhir" not in document["paths"]:
        absent.add("fhir.sh")
    if "application/dicom" not in client.get("/api/openapi.json").text:
        absent.add("dicom.sh")
    assert page_of(client).snippets.keys() == {path.name for path in SNIPPETS.iterdir() if path.is_file()} - absent


def test_the_answer_that_is_explained_is_one_that_the_service_gives(make_client: MakeClient, jpeg: bytes) -> None:
    client = make_client(use_mock_services=True, flask_env="development")
    page = unescape(client.get(DOCS).text)
    shown = json.loads(re.search(r'aria-label="What comes back"><code>(.*?)</code>', page, re.DOTALL)[1])  # type: ignore[index]
    given = client.post("/api/analyze/skin", data={"image": (io.BytesIO(jpeg), "p"), "detail": "summary"}).get_json()
    for name in ("analysis_id", "timestamp"):
        del shown[name], given[name]
    for listed in (shown["summary"]["findings"], given["summary"]["findings"]):
        del listed[2:]  # long lists of examples are cut
    assert shown == given


def test_texts_of_the_document_are_shown_as_text(client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").get_json()
    document["paths"]["/api/analyze/skin"]["post"]["summary"] = "Use <b> and `<i>`"
    with client.application.test_request_context():
        page = docs_page(document, "http://127.0.0.1:8000")
    assert "Use &lt;b&gt; and <code>&lt;i&gt;</code>" in page
