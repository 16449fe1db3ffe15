"""The clients for Python and the running service: every method, the same answers from both, every detail."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from dermserve import AsyncClient, Client, RefusedError, UnavailableError
from dermserve.models import AnalysisAnswer

from tests.e2e.server import REPOSITORY, Server, skin_photo

#: what differs between two answers to the same request
CHANGING = {"analysis_id", "comparison_id", "timestamp", "timings_ms", "parts"}
BEFORE, AFTER = skin_photo(), skin_photo(seed=2)
README = (REPOSITORY / "client" / "README.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
METHODS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "analyze": (([BEFORE, AFTER],), {"age": 54, "sex": "female", "body_site": "arm", "outline": True}),
    "compare": ((BEFORE, AFTER), {"before_date": "2026-01-10", "after_date": "2026-03-10", "confirmed": True}),
    **{name: ((), {}) for name in ("measures", "conditions", "models", "label", "health", "ready")},
}


def awaited(url: str, call: Callable[[AsyncClient], Any]) -> Any:
    async def run() -> Any:
        async with AsyncClient(url) as client:
            return await call(client)

    return anyio.run(run)


@pytest.mark.parametrize("name", METHODS)
def test_both_clients_get_the_same_answer(server: Server, name: str) -> None:
    arguments, fields = METHODS[name]
    with Client(server.url) as client:
        answer = getattr(client, name)(*arguments, **fields)
    other = awaited(server.url, lambda client: getattr(client, name)(*arguments, **fields))
    assert type(answer) is type(other)
    assert steady(answer.raw) == steady(other.raw)
    assert answer.model_extra == {}


def steady(raw: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in raw.items() if name not in CHANGING}


def test_the_selftest_names_each_part(server: Server) -> None:
    with Client(server.url) as client:
        answer = client.selftest()
    assert answer.success
    assert {"pytorch", "tensorflow", "faiss"} <= {part.name for part in answer.parts if part.ok}


@pytest.mark.parametrize("detail", ["summary", "standard", "full", "thorough"])
def test_every_detail_is_read(server: Server, detail: str) -> None:
    with Client(server.url) as client:
        answer = client.analyze(BEFORE, detail=detail, modality="dermatoscopic")
    assert isinstance(answer, AnalysisAnswer)
    assert answer.summary.headline
    assert (answer.skin is None) == (detail == "summary")
    if answer.lesion:
        assert answer.lesion.predictions[0].probability is not None
        assert (answer.lesion.raw_predictions is None) == (detail == "standard")


def test_the_language_and_the_time_limit_reach_the_service(server: Server) -> None:
    with Client(server.url, language="es", timeout_s=60) as client:
        assert client.analyze(BEFORE).language == "es"
    with Client(server.url, timeout_s=1e-6, patience_s=0) as hasty, pytest.raises(UnavailableError) as caught:
        hasty.analyze(BEFORE)
    assert caught.value.code == "deadline_exceeded"
    assert caught.value.request_id


def test_an_error_says_which_field_is_wrong(server: Server) -> None:
    with Client(server.url) as client, pytest.raises(RefusedError, match="120") as caught:
        client.analyze(BEFORE, age=300)
    assert (caught.value.code, caught.value.details["field"]) == ("impossible_value", "age")


@pytest.mark.parametrize("script", SCRIPTS, ids=range(len(SCRIPTS)))
def test_a_script_of_the_readme_runs(server: Server, tmp_path: Path, script: str) -> None:
    for name in ("photo.jpg", "january.jpg", "march.jpg"):
        (tmp_path / name).write_bytes(BEFORE)
    done = subprocess.run(
        [sys.executable, "-c", script.replace("http://127.0.0.1:8000", server.url)],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY / "client")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert "Try again later" not in done.stdout
