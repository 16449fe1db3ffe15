"""Clients that others generate from the OpenAPI document: they are made without a warning, and read every answer."""

from __future__ import annotations

import base64
import importlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from tests.e2e.exchanges import (
    ANALYZE,
    Exchange,
    analyses,
    other_errors,
    others,
    photos_of_each_kind,
    provoked_errors,
    real_photos,
)
from tests.e2e.server import Server, skin_photo
from tests.tools import node_program_or_skip, tool_or_skip
from web.errors import STATUS, ClientGoneError

_PACKAGE = "generated_dermserve"
_PROJECT = Path(__file__).parent / "typescript"
#: what openapi-typescript prints if all is well
_NO_WARNING = ("✨", "🚀")


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    described: dict[str, Any] = server.get("/api/openapi.json").json()
    return described


@pytest.fixture(scope="module")
def document_file(document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("document") / "openapi.json"
    path.write_text(json.dumps(document))
    return path


@pytest.fixture(scope="module")
def exchanges(server: Server, var_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Exchange]:
    answered = [*analyses(server, photos_of_each_kind(var_folder)), *others(server)]
    refused = list(provoked_errors(server))
    canned = other_errors((one.code for one in refused), tmp_path_factory.mktemp("canned"))
    return [*answered, *refused, *canned]


@pytest.fixture(scope="module")
def real(server: Server, shared_data: Path) -> list[Exchange]:
    return list(analyses(server, real_photos(shared_data)))


@pytest.fixture(scope="module")
def package(document_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a Python package that openapi-python-client made. It can be imported."""
    folder = tmp_path_factory.mktemp("python")
    programs = Path(sys.executable).parent
    command = [programs / "openapi-python-client", "generate", "--path", document_file, "--fail-on-warning"]
    done = subprocess.run(
        [*map(str, command), "--meta", "none", "--output-path", str(folder / _PACKAGE)],
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},  # it formats what it makes with ruff
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "warning" not in said.lower()
    sys.path.insert(0, str(folder))
    yield _PACKAGE
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def types(document_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with schema.d.ts, which openapi-typescript made."""
    folder = tmp_path_factory.mktemp("typescript")
    said = node("openapi-typescript", document_file, "--output", folder / "schema.d.ts")
    assert all(line.startswith(_NO_WARNING) for line in said.splitlines() if line), said
    shutil.copy(_PROJECT / "tsconfig.json", folder)
    return folder


def node(program: str, *arguments: object) -> str:
    """Run a program of the TypeScript project, and return what it says."""
    must = "install it with npm (make node-packages)"
    found = node_program_or_skip(_PROJECT, program, must=must, skipped="no TypeScript types are made")
    command = [tool_or_skip("node", must=must, skipped="no TypeScript types are made"), found, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[:5000]
    return done.stdout + done.stderr


def operation(package: str, document: dict[str, Any], exchange: Exchange) -> ModuleType:
    """The module of the Python client for the operation of an exchange."""
    described = document["paths"][exchange.path][exchange.method]
    return importlib.import_module(f"{package}.api.{described['tags'][0].lower()}.{described['operationId']}")


def parsed(package: str, document: dict[str, Any], exchange: Exchange) -> object:
    """What the Python client makes of an answer."""
    client = importlib.import_module(package).Client(base_url="http://127.0.0.1", raise_on_unexpected_status=True)
    headers = {"Content-Type": exchange.headers["Content-Type"]}
    response = httpx.Response(exchange.status, headers=headers, content=exchange.content)
    return operation(package, document, exchange)._build_response(client=client, response=response).parsed


def test_every_answer_and_every_error_is_there(document: dict[str, Any], exchanges: list[Exchange]) -> None:
    codes = {code for kind, (_, code) in STATUS.items() if kind is not ClientGoneError}
    assert codes <= {one.code for one in exchanges}
    answered = {(one.path, one.method) for one in exchanges if one.status == 200}
    assert answered == {(path, method) for path, methods in document["paths"].items() for method in methods}
    kinds = {
        json.loads(one.content)["modality"].get("label") for one in exchanges if one.path == ANALYZE and not one.code
    }
    assert {"face", "lesion_close_up", "dermatoscopic", "close_up", "not_skin"} <= kinds


def test_the_python_client_loses_nothing_of_any_answer(
    package: str, document: dict[str, Any], exchanges: list[Exchange]
) -> None:
    for exchange in exchanges:
        found = parsed(package, document, exchange)
        if exchange.media_type.endswith("json"):
            assert found is not None, exchange.name
            assert found.to_dict() == json.loads(exchange.content), exchange.name  # type: ignore[attr-defined]
        elif exchange.media_type.startswith("text/"):
            assert found == exchange.content.decode()
        else:
            assert found.payload.read() == exchange.content  # type: ignore[attr-defined]


def test_the_python_client_loses_nothing_of_answers_to_real_photos(
    package: str, document: dict[str, Any], real: list[Exchange]
) -> None:
    for exchange in real:
        found: Any = parsed(package, document, exchange)
        assert found.to_dict() == json.loads(exchange.content), exchange.name


def test_the_python_client_sends_photos_in_each_form(server: Server, package: str) -> None:
    models = importlib.import_module(f"{package}.models")
    file = importlib.import_module(f"{package}.types").File
    analyze = importlib.import_module(f"{package}.api.analysis.analyze_skin")
    photo = skin_photo()
    text = base64.b64encode(photo).decode()
    bodies = [
        models.AnalyzeRequestMultipart(image=[file(io.BytesIO(photo), "skin.jpg")], age=54, sex=models.Sex.FEMALE),
        models.AnalyzeRequestJson(image=text, body_site=models.BodySite.ARM),
        models.AnalyzeRequestForm(image=text),
        file(io.BytesIO(photo)),
    ]
    with importlib.import_module(package).Client(base_url=server.url, timeout=httpx.Timeout(120)) as client:
        for body in bodies:
            response = analyze.sync_detailed(client=client, body=body, k=2, detail=models.RequestedDetail.FULL)
            assert isinstance(response.parsed, models.AnalysisAnswer), response.content[:300]
            assert len(response.parsed.similar_cases) == 2
        refused = analyze.sync_detailed(client=client, body=file(io.BytesIO(b"no photo")))
    assert isinstance(refused.parsed, models.ErrorAnswer)
    assert refused.parsed.error.code == "unsupported_image"


def test_typescript_knows_every_answer(types: Path, exchanges: list[Exchange]) -> None:
    check_types(types, [one for one in exchanges if one.path != "/api/openapi.json"])


def test_typescript_knows_the_answers_to_real_photos(types: Path, real: list[Exchange]) -> None:
    check_types(types, real)


def test_typescript_finds_an_answer_that_is_not_as_documented(types: Path) -> None:
    """Otherwise the test above would say nothing."""
    wrong = '{ "success": false, "error": { "code": "no_image", "message": "…", "details": {} }, "request": 1 }'
    line = f'export const wrong = {wrong} satisfies paths["{ANALYZE}"]["post"]["responses"][400]["content"]'
    (types / "answers.ts").write_text(f'import type {{ paths }} from "./schema";\n{line}["application/json"];\n')
    with pytest.raises(AssertionError, match="'\"request\"' does not exist in type"):
        node("tsc", "--project", types)


def check_types(types: Path, exchanges: Iterable[Exchange]) -> None:
    """Make each answer a constant of its documented type. tsc refuses a field, a word or a type that is not in it."""
    constants = [
        f"export const answer{number} = {one.content.decode().strip()} satisfies {_type(one)}; // {one.name}"
        for number, one in enumerate(exchanges)
        if one.media_type.endswith("json")
    ]
    (types / "answers.ts").write_text("\n".join(['import type { paths } from "./schema";', *constants]))
    node("tsc", "--project", types)


def _type(exchange: Exchange) -> str:
    response = f'paths["{exchange.path}"]["{exchange.method}"]["responses"][{exchange.status}]'
    return f'{response}["content"]["{exchange.media_type}"]'
