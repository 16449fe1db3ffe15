"""The files that describe and run the images: valid, locked down, and consistent with the service and each other."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from cfnlint.api import lint_file
from cfnlint.decode import decode

from settings import DEADLINE_MARGIN_S, Settings
from tests.tools import package_or_skip
from web.metrics import Metrics

_ROOT = Path(__file__).resolve().parents[3]
_FOLDER = _ROOT / "deploy/image"
_KUBERNETES = _FOLDER / "kubernetes"
_MANIFESTS = yaml.safe_load((_KUBERNETES / "kustomization.yaml").read_text())["resources"]
_USER = 10001


def manifest(name: str) -> Any:
    return yaml.safe_load((_KUBERNETES / name).read_text())


def pod() -> Any:
    return manifest("deployment.yaml")["spec"]["template"]["spec"]


def fargate() -> Any:
    decoded, errors = decode(str(_FOLDER / "fargate.yaml"))
    assert not errors
    return decoded["Resources"]


def megabytes(amount: str) -> float:
    number, unit = re.fullmatch(r"(\d+)([A-Za-z]+)", amount).groups()  # type: ignore[union-attr]
    return int(number) * {"m": 1, "g": 1024, "Mi": 1, "Gi": 1024}[unit]


@pytest.mark.parametrize("name", _MANIFESTS)
def test_kubernetes_accepts_the_manifest(name: str) -> None:
    package_or_skip("kubernetes_validate", must="install requirements-dev.txt", skipped="manifests are not validated")
    import kubernetes_validate

    kubernetes_validate.validate(manifest(name), kubernetes_validate.latest_version(), strict=True)


def test_all_manifests_are_in_the_kustomization() -> None:
    others = {"kustomization.yaml", "metrics-adapter.yaml"}  # the latter is no manifest
    assert set(_MANIFESTS) == {path.name for path in _KUBERNETES.iterdir()} - others


def test_cfn_lint_has_no_warning_about_the_task() -> None:
    assert lint_file(_FOLDER / "fargate.yaml") == []


def test_containers_in_kubernetes_are_locked_down() -> None:
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod()["securityContext"]["runAsUser"] == _USER
    for one in pod()["containers"]:
        assert one["securityContext"]["readOnlyRootFilesystem"] is True
        assert one["securityContext"]["allowPrivilegeEscalation"] is False
        assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert set(one["resources"]["limits"]) == {"cpu", "memory"}


def test_containers_in_compose_and_fargate_are_locked_down() -> None:
    for one in yaml.safe_load((_FOLDER / "compose.yaml").read_text())["services"].values():
        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]
    for one in fargate()["Task"]["Properties"]["ContainerDefinitions"]:
        assert one["ReadonlyRootFilesystem"] is True
        assert one["User"] == f"{_USER}:{_USER}"


def test_what_is_written_stays_in_memory_and_fits_into_the_limit() -> None:
    """/tmp is the only folder that is written to. Its pages count as memory of the container."""
    volumes = {one["name"]: one["emptyDir"] for one in pod()["volumes"]}
    for one in pod()["containers"]:
        (mount,) = one["volumeMounts"]
        assert mount["mountPath"] == "/tmp"
        assert volumes[mount["name"]]["medium"] == "Memory"
        assert megabytes(volumes[mount["name"]]["sizeLimit"]) < megabytes(one["resources"]["limits"]["memory"])
    for one in yaml.safe_load((_FOLDER / "compose.yaml").read_text())["services"].values():
        (mounted,) = one["tmpfs"]
        size = re.search(r"^/tmp:size=(\w+)", mounted)
        assert size is not None
        assert megabytes(size[1]) < megabytes(one["mem_limit"])


def test_probes_restart_only_what_does_not_answer() -> None:
    (service,) = [one for one in pod()["containers"] if one["name"] == "service"]
    assert service["livenessProbe"]["httpGet"]["path"] == "/health"
    assert service["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert service["startupProbe"]["httpGet"]["path"] == "/health/ready"


def test_running_analyses_can_end_before_the_stop() -> None:
    settings = Settings()
    (service,) = [one for one in pod()["containers"] if one["name"] == "service"]
    pause = int(service["lifecycle"]["preStop"]["exec"]["command"][1])
    needed = settings.stop_delay_s + settings.gunicorn_timeout_s
    assert pod()["terminationGracePeriodSeconds"] > pause + needed
    for one in yaml.safe_load((_FOLDER / "compose.yaml").read_text())["services"].values():
        assert int(one["stop_grace_period"].removesuffix("s")) > needed
    task = fargate()["Task"]["Properties"]["ContainerDefinitions"][0]
    own = {one["Name"]: one["Value"] for one in task["Environment"]}
    assert int(own["DERMSERVE_STOP_DELAY_S"]) + int(own["GUNICORN_TIMEOUT"]) < task["StopTimeout"] <= 120
    assert int(own["GUNICORN_TIMEOUT"]) > DEADLINE_MARGIN_S


def test_only_settings_that_exist_are_set() -> None:
    known = Settings.environment_names()
    (service,) = [one for one in pod()["containers"] if one["name"] == "service"]
    task = fargate()["Task"]["Properties"]["ContainerDefinitions"][0]
    compose = yaml.safe_load((_FOLDER / "compose.yaml").read_text())["services"]["service"]
    names = {one["name"] for one in service["env"]} | {one["Name"] for one in task["Environment"]}
    assert names | set(compose["environment"]) <= set(known)


def test_the_autoscaler_uses_metrics_that_the_service_has() -> None:
    (rule,) = manifest("metrics-adapter.yaml")["rules"]["custom"]
    metrics = Metrics()
    metrics.load(waiting=0, running=0)
    page = metrics.page({})[0].decode()
    used = set(re.findall(r"dermserve_\w+", rule["seriesQuery"] + rule["metricsQuery"]))
    assert used == {"dermserve_running", "dermserve_waiting"}
    for name in used:
        assert re.search(rf"^{name} ", page, re.MULTILINE)
    (scaled,) = manifest("autoscaler.yaml")["spec"]["metrics"]
    assert scaled["pods"]["metric"]["name"] == rule["name"]["as"]
    assert float(scaled["pods"]["target"]["averageValue"]) < Settings().max_workers


def test_no_file_holds_a_secret() -> None:
    for path in [*_FOLDER.rglob("*.yaml"), _FOLDER / "Dockerfile"]:
        assert not re.search(r"(API_KEYS|PASSWORD|TOKEN)\s*[:=]\s*\S", path.read_text().replace("=…", "")), path


def test_what_the_build_does_not_need_is_ignored() -> None:
    """Everything is ignored but what is listed, and everything that the Dockerfile copies is listed."""
    lines = (_FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    listed = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", (_FOLDER / "Dockerfile").read_text(), re.MULTILINE)
    assert {name.rstrip("/") for line in copies for name in line.split()} == listed


def test_a_build_without_a_bundle_says_what_to_set(tmp_path: Path) -> None:
    for environment, reason in (({}, "set BUNDLE to"), ({"BUNDLE": str(tmp_path)}, "is not the folder of a bundle")):
        done = subprocess.run(
            [str(_FOLDER / "build.sh")],
            check=False,
            env={"PATH": "/usr/bin:/bin", **environment},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert reason in done.stderr
