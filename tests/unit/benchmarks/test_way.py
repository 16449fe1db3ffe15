"""Which calls count as a stay in another room, and which as a re-entry."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.way import Stay, Tracer, report

SOURCES = {
    "web/routes.py": """
def answer(analyze, found):
    found.append(measured())
    return analyze(check)

def check():
    return True

def measured():
    return 1
""",
    "ml/skin/measure.py": """
def analyze(check):
    return [item() for item in items(check)]

def items(check):
    yield check
    yield check
""",
}


@pytest.fixture
def rooms(tmp_path: Path) -> dict[str, ModuleType]:
    """Modules of two rooms, by file."""
    modules = {}
    for name, text in SOURCES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(modules[name])
    return modules


def traced(rooms: dict[str, ModuleType], tracer: Tracer) -> list[Stay]:
    web, skin = rooms["web/routes.py"], rooms["ml/skin/measure.py"]
    sys.setprofile(tracer)
    try:
        web.answer(skin.analyze, [])
    finally:
        sys.setprofile(None)
    return tracer.stays


def test_calls_between_rooms_count_and_a_callback_re_enters(rooms: dict[str, ModuleType], tmp_path: Path) -> None:
    stays = traced(rooms, Tracer(tmp_path))
    back = Stay("ml.skin", "web", "routes.check", reenters=True)
    assert stays == [Stay("web", "ml.skin", "measure.analyze", reenters=False), back, back]
    text = report(stays)
    assert "stays: 3, through 2 functions\n" in text
    assert "re-enter a room: 1\n" in text
    assert "    web->>ml.skin: analyze\n    ml.skin->>web: check" in text


def test_ignored_code_does_not_count(rooms: dict[str, ModuleType], tmp_path: Path) -> None:
    ignored = frozenset({rooms["web/routes.py"].check.__code__})
    assert [stay.function for stay in traced(rooms, Tracer(tmp_path, ignored))] == ["measure.analyze"]


def test_files_outside_the_project_do_not_count(rooms: dict[str, ModuleType], tmp_path: Path) -> None:
    assert traced(rooms, Tracer(tmp_path / "elsewhere")) == []
