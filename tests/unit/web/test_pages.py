"""The page as the server writes it; what it does in a browser is tested in tests/browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient


def test_the_page_says_first_what_it_is_not(client: FlaskClient) -> None:
    page = client.get("/").text
    assert page.index("<dermserve-analyzer") < page.index("What it is not") < page.index("</dermserve-analyzer>")


def test_every_file_that_the_page_names_is_served_from_here(client: FlaskClient) -> None:
    page = client.get("/").text
    named = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)
    assert len(named) > 20
    for path in named:
        with client.get(path) as answer:
            assert answer.status_code == 200, path


def test_modules_import_only_files_that_exist(client: FlaskClient) -> None:
    modules = set(re.findall(r'<link rel="modulepreload" href="/assets/([^"]+)"', client.get("/").text))
    for module in modules:
        with client.get(f"/assets/{module}") as answer:
            imported = re.findall(r'from "([^"]+)";', answer.text)
        folder = module.rpartition("/")[0]
        for path in imported:
            target = path.removeprefix("./") if path.startswith("./") else path.removeprefix("../")
            inside = f"{folder}/{target}" if folder and path.startswith("./") else target
            assert inside in modules, f"{module} imports {path}"


def test_no_form_can_replace_the_page_by_an_answer(client: FlaskClient) -> None:
    response = client.get("/")
    assert "form-action 'none'" in response.headers["Content-Security-Policy"]
    assert "<form" not in response.text  # a script makes it, so there is none before the script can send it


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"cosmetic_mode": True}, "Cosmetic mode"),
        ({"use_mock_services": True, "flask_env": "development"}, "Canned answers"),
    ],
)
def test_the_page_says_how_the_service_is_set(
    make_client: Callable[..., FlaskClient], settings: dict[str, object], words: str
) -> None:
    assert words not in make_client().get("/").text
    assert words in make_client(**settings).get("/").text
