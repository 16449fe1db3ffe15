"""The workflows of GitHub Actions, the role that they take, and the script that they run."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from cfnlint.api import lint
from cfnlint.decode import decode

from tests.tools import tool_or_skip

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
SCRIPT = ROOT / ".github/deploy.sh"
ROLE = ROOT / ".github/aws-role.yaml"
SCRIPTS = [
    ROOT / name
    for name in subprocess.run(
        ["git", "grep", "-lE", "^#!.*(ba)?sh$"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    if not name.endswith((".py", ".md"))
]

#: stands in for eb, aws and curl: writes its arguments to $CALLS, and fails if $FAILING is in them
STAND_IN = """#!/usr/bin/env bash
call="$(basename "$0") $*"
echo "$call" >>"$CALLS"
if [ -n "$FAILING" ] && [[ "$call" == *"$FAILING"* ]]; then exit 4; fi
case "$call" in
    aws*"CNAME=='live.example'"*) printf 'blue\\tlive.example\\n' ;;
    aws*"EnvironmentName=='gone'"*) ;;
    aws*"EnvironmentName=='"*)
        name=${call#*EnvironmentName==\\'}
        name=${name%%\\'*}
        printf '%s\\t%s.example\\n' "$name" "$name"
        ;;
esac
"""


class Deployment:
    """Runs the script with stand-ins for the programs that need AWS."""

    def __init__(self, folder: Path) -> None:
        self._calls = folder / "calls"
        self._bin = folder / "bin"
        self._bin.mkdir()
        for name in ("eb", "aws", "curl"):
            (self._bin / name).write_text(STAND_IN)
            (self._bin / name).chmod(0o755)

    def run(self, *arguments: str, failing: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        given = {
            "APPLICATION": "dermserve",
            "AWS_REGION": "us-east-1",
            "PLATFORM": "Python",
            "LIVE_CNAME": "live.example",
        }
        environment = given | variables | {"CALLS": str(self._calls), "FAILING": failing}
        environment["PATH"] = f"{self._bin}:{os.environ['PATH']}"
        environment["HOME"] = str(self._bin)
        command = ["bash", str(SCRIPT), *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    def calls(self, program: str) -> list[str]:
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        return [line for line in lines if line.startswith(f"{program} ")]

    def order(self) -> list[str]:
        """The programs and their first words, without the questions to AWS."""
        lines = self._calls.read_text().splitlines()
        return [
            " ".join(line.split()[:2]) if line.startswith("eb ") else "ready?" for line in lines if line[:3] != "aws"
        ]


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


def commit() -> str:
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def read(workflow: Path) -> dict[Any, Any]:
    loaded = yaml.safe_load(workflow.read_text())
    assert isinstance(loaded, dict)
    return loaded


def test_actionlint_accepts_the_workflows() -> None:
    actionlint = tool_or_skip("actionlint", must="install requirements-dev.txt", skipped="workflows are not linted")
    done = subprocess.run([actionlint, *WORKFLOWS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""


def test_actionlint_would_find_a_mistake(tmp_path: Path) -> None:
    actionlint = tool_or_skip("actionlint", must="install requirements-dev.txt", skipped="workflows are not linted")
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("on: push\njobs: {a: {runs-on: ubuntu-24.04, steps: [{run: 'echo ${{ github.nothing }}'}]}}\n")
    done = subprocess.run([actionlint, wrong], capture_output=True, text=True, check=False)
    assert "nothing" in done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: str(script.relative_to(ROOT)))
def test_shellcheck_accepts_the_script(script: Path) -> None:
    shellcheck = tool_or_skip("shellcheck", must="install requirements-dev.txt", skipped="scripts are not linted")
    done = subprocess.run(
        [shellcheck, "--external-sources", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == ""


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.stem)
def test_actions_are_pinned_and_jobs_end(workflow: Path) -> None:
    for job in read(workflow)["jobs"].values():
        if "uses" in job:
            assert job["uses"].startswith("./")
            continue
        assert job["timeout-minutes"] <= 180
        for used in [step["uses"] for step in job["steps"] if "uses" in step]:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", used), f"{used} is not pinned by its commit"


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.stem)
def test_a_job_with_credentials_needs_approval_and_nothing_else_gets_a_token(workflow: Path) -> None:
    loaded = read(workflow)
    assert loaded["permissions"] in ({}, {"contents": "read"})
    for job in loaded["jobs"].values():
        granted = job.get("permissions", {})
        assert granted.items() <= {"contents": "read", "id-token": "write"}.items()
        if "id-token" in granted:
            assert job["environment"] == "production"
            assert loaded["concurrency"] == {"group": "production", "cancel-in-progress": False}


def test_no_key_is_stored() -> None:
    for path in [*WORKFLOWS, SCRIPT]:
        assert "secrets." not in path.read_text()
        assert "AWS_ACCESS_KEY_ID" not in path.read_text()


def test_ci_runs_what_every_machine_runs() -> None:
    (job,) = read(ROOT / ".github/workflows/ci.yml")["jobs"].values()
    assert job["steps"][-1] == {"run": ".ci/run"}


def test_cloudformation_accepts_the_role() -> None:
    assert [str(match) for match in lint(ROLE.read_text())] == []


def test_only_an_approved_job_of_the_repository_can_take_the_role() -> None:
    decoded, _ = decode(str(ROLE))
    (statement,) = decoded["Resources"]["Role"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert json.loads(json.dumps(statement["Condition"])) == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": {
                "Fn::Sub": "repo:${Repository}:environment:${GitHubEnvironment}"
            },
        }
    }


def test_the_role_lasts_as_long_as_the_workflows_ask() -> None:
    decoded, _ = decode(str(ROLE))
    asked = [
        step["with"]["role-duration-seconds"]
        for workflow in WORKFLOWS
        for job in read(workflow)["jobs"].values()
        for step in job.get("steps", [])
        if "role-duration-seconds" in step.get("with", {})
    ]
    assert max(asked) == decoded["Resources"]["Role"]["Properties"]["MaxSessionDuration"]


def test_immutable_deploys_the_commit_to_the_live_environment(deployment: Deployment) -> None:
    assert deployment.run("immutable").returncode == 0
    (deployed,) = deployment.calls("eb")
    assert deployed.startswith(f"eb deploy blue --label {commit()} ")
    assert deployment.calls("curl")[0].endswith("http://blue.example/health/ready")


def test_blue_green_swaps_only_after_the_clone_is_ready(deployment: Deployment) -> None:
    assert deployment.run("blue-green").returncode == 0
    assert deployment.order() == ["eb clone", "eb deploy", "ready?", "eb swap"]
    assert deployment.calls("eb")[-1] == f"eb swap blue --destination_name dermserve-{commit()}"


@pytest.mark.parametrize("failing", ["eb clone", "eb deploy", "curl"])
def test_a_failure_before_the_swap_swaps_nothing(deployment: Deployment, failing: str) -> None:
    assert deployment.run("blue-green", failing=failing).returncode != 0
    assert "eb swap" not in deployment.order()


def test_a_domain_is_asked_at_the_new_environment_with_its_own_certificate(deployment: Deployment) -> None:
    assert deployment.run("blue-green", DOMAIN="skin.example.org").returncode == 0
    (asked,) = deployment.calls("curl")
    assert asked.endswith(
        f"--connect-to skin.example.org:443:dermserve-{commit()}.example:443 https://skin.example.org/health/ready"
    )


def test_swap_back_returns_the_host_name(deployment: Deployment) -> None:
    assert deployment.run("swap-back", "earlier").returncode == 0
    assert deployment.order() == ["ready?", "eb swap"]
    assert deployment.calls("eb") == ["eb swap blue --destination_name earlier"]


def test_swap_back_to_an_environment_that_is_gone_says_so(deployment: Deployment) -> None:
    done = deployment.run("swap-back", "gone")
    assert (done.returncode, done.stderr) == (1, "deploy: dermserve has no environment gone\n")
    assert deployment.calls("eb") == []


def test_version_deploys_an_earlier_label(deployment: Deployment) -> None:
    assert deployment.run("version", "0123456789ab").returncode == 0
    (deployed,) = deployment.calls("eb")
    assert deployed.startswith("eb deploy blue --version 0123456789ab ")


@pytest.mark.parametrize("arguments", [(), ("everything",), ("version",), ("immutable", "extra")])
def test_a_wrong_command_changes_nothing(deployment: Deployment, arguments: tuple[str, ...]) -> None:
    done = deployment.run(*arguments)
    assert done.returncode == 1
    assert "unknown command" in done.stderr
    assert deployment.calls("eb") == []


def test_a_missing_variable_is_named(deployment: Deployment) -> None:
    done = deployment.run("immutable", LIVE_CNAME="")
    assert (done.returncode, done.stderr) == (1, "deploy: the variable LIVE_CNAME is not set\n")
