"""The types of the web component: they say what the elements do, and an answer of the service is of their type."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.server import REPOSITORY, Server
from tests.tools import tool_or_skip
from web import __version__

PACKAGE = REPOSITORY / "web" / "static"
PROJECT = Path(__file__).parent / "typescript"
USE = """
import "dermserve-elements";
import type { AnalyzerElement, Answer } from "dermserve-elements";
import type { components } from "./schema";

const analyzer: AnalyzerElement = document.createElement("dermserve-analyzer");
analyzer.endpoint = "https://dermserve.example.com";
analyzer.modality = "face";
analyzer.key = "secret";
analyzer.addEventListener("dermserve-answer", ({ detail }) => {
  const headline: string = detail.summary.headline;
  const report = document.querySelector("dermserve-report");
  if (report) Object.assign(report, { answer: detail, photos: analyzer.photos, title: headline });
});
document.addEventListener("dermserve-error", ({ detail }) => console.log(detail.code, detail.retryAfter ?? 0));
analyzer.addEventListener("dermserve-progress", ({ detail }) => detail.stage === "sending" && detail.share);

export const whole = (answer: components["schemas"]["AnalysisAnswer"]): Answer => answer;
"""
WRONG = {
    'analyzer.modality = "hand";': "is not assignable to type",
    "analyzer.answer = null;": "read-only",
    'analyzer.addEventListener("dermserve-answer", ({ detail }) => detail.words);': "does not exist on type 'Answer'",
}


@pytest.fixture(scope="module")
def project(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TypeScript project that has the package, and the types of the service's OpenAPI document."""
    tool_or_skip("node", must="check the types of the web component", skipped="its types are not checked")
    if not (PROJECT / "node_modules").is_dir():
        message = f"TypeScript is not installed: run npm ci --prefix {PROJECT}"
        pytest.fail(message) if os.environ.get("CI", "").lower() == "true" else pytest.skip(message)
    folder = tmp_path_factory.mktemp("component")
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "dermserve-elements").symlink_to(PACKAGE)
    shutil.copy(PROJECT / "tsconfig.json", folder)
    document = folder / "openapi.json"
    document.write_text(server.get("/api/openapi.json").text)
    assert run("openapi-typescript", document, "--output", folder / "schema.d.ts")[0] == 0
    return folder


def run(program: str, *arguments: object) -> tuple[int, str]:
    command = [str(PROJECT / "node_modules" / ".bin" / program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_elements_are_used_with_types_and_the_whole_answer_has_the_short_type(project: Path) -> None:
    (project / "use.ts").write_text(USE)
    status, said = run("tsc", "--project", project)
    assert status == 0, said


@pytest.mark.parametrize(("line", "refusal"), WRONG.items())
def test_a_wrong_use_is_refused(project: Path, line: str, refusal: str) -> None:
    (project / "use.ts").write_text(f"{USE}\n{line}\n")
    status, said = run("tsc", "--project", project)
    assert status != 0
    assert re.search(refusal, said), said


def test_the_example_is_of_these_types(project: Path) -> None:
    shutil.copy(REPOSITORY / "examples" / "web-component" / "page.js", project / "example.js")
    (project / "use.ts").write_text(USE)
    _, said = run("tsc", "--project", project, "--allowJs", "--checkJs")
    assert [line for line in said.splitlines() if "possibly 'null'" not in line] == []


def test_the_package_has_the_version_of_the_service() -> None:
    assert json.loads((PACKAGE / "package.json").read_text())["version"] == __version__
