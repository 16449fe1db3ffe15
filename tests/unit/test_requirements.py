"""The pinned requirements hold what the short lists name, each with its hashes, and the environments agree."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
#: BentoML needs another OpenTelemetry
APART = {"opentelemetry-api"}
LISTS = sorted(ROOT.glob("requirements*.in"))


def requirements(path: Path) -> list[Requirement]:
    """Those that the file itself states, without comments and hashes."""
    lines = path.read_text(encoding="utf-8").splitlines()
    stated = [re.sub(r"\s+#.*|\s*\\$", "", line) for line in lines if re.match(r"[A-Za-z0-9]", line)]
    return [Requirement(line) for line in stated]


def pins(path: Path) -> dict[str, str]:
    return {canonicalize_name(one.name): str(one.specifier) for one in requirements(path)}


@pytest.mark.parametrize("named", LISTS, ids=lambda path: str(path.name))
def test_the_pins_are_those_of_the_list(named: Path) -> None:
    pinned, wanted = pins(named.with_suffix(".txt")), pins(named)
    assert {name: pinned.get(name) for name in wanted} == wanted


@pytest.mark.parametrize("named", LISTS, ids=lambda path: str(path.name))
def test_every_package_is_pinned_with_its_hashes(named: Path) -> None:
    text = named.with_suffix(".txt").read_text(encoding="utf-8")
    packages = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert [one.splitlines()[0] for one in packages if "==" not in one or "--hash=sha256:" not in one] == []


def test_nothing_is_pinned_twice() -> None:
    served = pins(ROOT / "requirements.txt").keys()
    for name in ("scin", "ray", "dev"):
        assert pins(ROOT / f"requirements-{name}.txt").keys().isdisjoint(served)


def test_peers_run_on_what_the_service_runs_on() -> None:
    served, compared = pins(ROOT / "requirements.txt"), pins(ROOT / "requirements-bench.txt")
    assert {name: compared.get(name) for name in served.keys() - APART} == {
        name: version for name, version in served.items() if name not in APART
    }


def test_node_packages_are_pinned_with_their_digests_and_name_no_registry() -> None:
    lock = json.loads((ROOT / "tests" / "e2e" / "typescript" / "package-lock.json").read_text(encoding="utf-8"))
    project, *packages = lock["packages"].values()
    assert all(version[0].isdigit() for version in project["devDependencies"].values())
    assert packages
    for package in packages:
        assert package["integrity"].startswith("sha512-")
        assert "resolved" not in package
