"""The comparison's environment holds what the shared core imports, in the versions that are served."""

from __future__ import annotations

from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
#: TensorFlow has two names; BentoML holds another OpenTelemetry; models are compiled in the service's environment
APART = {"tensorflow", "tensorflow-cpu", "opentelemetry-api", "onnx", "onnx-ir", "onnxscript", "tf2onnx"}


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    stated = [line.partition("  #")[0] for line in lines if line and not line.startswith(("#", "-"))]
    wanted = [Requirement(line) for line in stated]
    return {canonicalize_name(one.name): str(one.specifier) for one in wanted}


def test_peers_run_on_what_the_service_runs_on() -> None:
    served, compared = pins("requirements.txt"), pins("requirements-bench.txt")
    assert len(served) > 30
    assert {name: compared.get(name) for name in served.keys() - APART} == {
        name: version for name, version in served.items() if name not in APART
    }
