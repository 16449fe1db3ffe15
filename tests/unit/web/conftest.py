"""Photos made by code, and an application whose models are small fakes; everything else is the real thing."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from prometheus_client import values

from ml.deadline import Deadline
from ml.values import Analysis
from server.instance import Instance, this_process
from settings import Settings
from web.answers.service import CapabilityPart
from web.app import create_app
from web.mock import MockAnalyzer, MockComparer, MockIndex
from web.services import Pipeline, Services

ANALYZE = "/api/analyze/skin"


@dataclass
class FakeLoader:
    """Loads in no time; ``fail`` is raised instead, ``wait`` is called first. The self-test calls ``test_parts``."""

    analyze: Callable[[Any, Deadline], Analysis] = field(default=MockAnalyzer().analyze)
    parts: tuple[CapabilityPart, ...] = ()
    test_parts: Callable[[Deadline], object] = lambda deadline: None
    fail_models: Exception | None = None
    fail_index: Exception | None = None
    wait: Callable[[], object] = lambda: None
    loaded: list[str] = field(default_factory=list)

    def load_models(self) -> None:
        self.wait()
        if self.fail_models:
            raise self.fail_models
        self.loaded.append("models")

    def load_pipeline(self) -> Pipeline:
        if self.fail_index:
            raise self.fail_index
        self.loaded.append("index")
        return Pipeline(self, MockComparer(), MockIndex(), self._capability, (), None)

    def _capability(self, deadline: Deadline) -> tuple[CapabilityPart, ...]:
        self.test_parts(deadline)
        return self.parts


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.environment_names():
        monkeypatch.delenv(name, raising=False)
    # Metrics sets both, for the whole process: put back after each test.
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    monkeypatch.setattr(values, "ValueClass", values.MutexValue)


@pytest.fixture
def make_services(tmp_path: Path) -> Callable[..., Services]:
    """(loader, run_dir, **settings) → services that have not been started."""

    def make(loader: FakeLoader | None = None, run_dir: Path | None = None, **settings: Any) -> Services:
        chosen = Settings(**{"var": tmp_path, **settings})
        return Services(chosen, loader or FakeLoader(), this_process(chosen, Instance(folder=run_dir)))

    return make


@pytest.fixture
def make_client(tmp_path: Path) -> Iterator[Callable[..., FlaskClient]]:
    """(loader, run_dir, **settings) → a client whose service has loaded."""

    def make(
        loader: FakeLoader | None = None, *, load: bool = True, run_dir: Path | None = None, **settings: Any
    ) -> FlaskClient:
        chosen = Settings(**{"var": tmp_path, **settings})
        app: Flask = create_app(chosen, this_process(chosen, Instance(folder=run_dir)), loader or FakeLoader())
        if load:
            services: Services = app.extensions["dermserve"]
            services.start()
            services.pipeline(Deadline(30))
        return app.test_client()

    return make


@pytest.fixture
def client(make_client: Callable[..., FlaskClient]) -> FlaskClient:
    return make_client()


def encode(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


@pytest.fixture
def photo() -> Image.Image:
    return Image.linear_gradient("L").resize((96, 64)).convert("RGB")


@pytest.fixture
def jpeg(photo: Image.Image) -> bytes:
    return encode(photo)


@pytest.fixture
def fake_loader() -> type[FakeLoader]:
    return FakeLoader
