"""The predeploy hook: it prepares models and index, or stops the deployment with the reason."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.unit.deploy.hook_runner import PLATFORM, calls, error_line, executable, instance_variables, run

MODELS = PLATFORM / "hooks/predeploy/20_models_and_index.sh"


@pytest.fixture
def instance(tmp_path: Path) -> dict[str, str]:
    return instance_variables(tmp_path)


def test_models_then_the_sample_and_a_warning(instance: dict[str, str]) -> None:
    done = run(MODELS, **instance)
    assert done.returncode == 0, done.stderr
    assert calls(instance) == ["ml fetch", "ml verify", "scin sample", "boot check"]
    assert "WARNING" in done.stdout
    assert "synthetic" in done.stdout


def test_models_may_come_from_a_bucket(instance: dict[str, str]) -> None:
    sources = "one=s3://bucket/one two=s3://bucket/two"
    assert run(MODELS, **instance, DERMSERVE_MODEL_SOURCES=sources).returncode == 0
    assert calls(instance)[:3] == [
        "ml fetch one --source s3://bucket/one",
        "ml fetch two --source s3://bucket/two",
        "ml fetch",
    ]


def test_a_source_that_cannot_be_read_is_named(instance: dict[str, str]) -> None:
    done = run(MODELS, **instance, DERMSERVE_MODEL_SOURCES="s3://bucket/one")
    assert "write name=s3://bucket/folder" in error_line(done)
    assert calls(instance) == []


@pytest.mark.parametrize(
    ("failing", "goal"),
    [
        ("ml fetch", "could not be fetched"),
        ("ml verify", "do not match their pinned digests"),
        ("scin sample", "could not be built"),
        ("boot check", "would not start"),
    ],
)
def test_a_failure_stops_the_deployment_with_its_reason(instance: dict[str, str], failing: str, goal: str) -> None:
    done = run(MODELS, **instance, FAIL=failing)
    line = error_line(done)
    assert goal in line
    assert "the disk is full" in line
    assert "a line before" in done.stdout
    assert calls(instance)[-1] == failing


def test_scin_is_built_and_reused(instance: dict[str, str]) -> None:
    chosen = instance | {"DERMSERVE_INDEX": "scin", "DERMSERVE_SCIN_LIMIT": "40"}
    index = Path(instance["DERMSERVE_VAR"]) / "index/scin"
    assert run(MODELS, **chosen).returncode == 0
    assert calls(instance)[2:] == [
        f"scin build --source gs://bucket/dataset/ --out {index} --limit 40",
        "boot check",
    ]
    again = run(MODELS, **chosen)
    assert "reused" in again.stdout
    assert calls(instance)[4:] == ["ml fetch", "ml verify", "boot check", "boot check"]


@pytest.mark.parametrize(
    "change", [{"DERMSERVE_SCIN_LIMIT": "41"}, {"SCIN_BUCKET_PATH": "s3://other/"}, {"DERMSERVE_ENCODER": "other"}]
)
def test_scin_is_rebuilt_when_its_recipe_changes(instance: dict[str, str], change: dict[str, str]) -> None:
    chosen = instance | {"DERMSERVE_INDEX": "scin"}
    assert run(MODELS, **chosen).returncode == 0
    assert run(MODELS, **(chosen | change)).returncode == 0
    assert len([call for call in calls(instance) if call.startswith("scin build")]) == 2


def test_scin_is_rebuilt_when_the_application_would_refuse_it(instance: dict[str, str]) -> None:
    chosen = instance | {"DERMSERVE_INDEX": "scin"}
    assert run(MODELS, **chosen).returncode == 0
    run(MODELS, **chosen, FAIL="boot check")
    assert len([call for call in calls(instance) if call.startswith("scin build")]) == 2


def test_a_remote_index_is_only_checked(instance: dict[str, str]) -> None:
    assert run(MODELS, **instance, DERMSERVE_INDEX="s3://bucket/index").returncode == 0
    assert calls(instance) == ["ml fetch", "ml verify", "boot check"]


def test_all_of_scin_has_no_limit(instance: dict[str, str]) -> None:
    assert run(MODELS, **instance, DERMSERVE_INDEX="scin", DERMSERVE_SCIN_LIMIT="all").returncode == 0
    (build,) = [call for call in calls(instance) if call.startswith("scin build")]
    assert "--limit" not in build


def test_a_failed_build_is_not_recorded(instance: dict[str, str]) -> None:
    chosen = instance | {"DERMSERVE_INDEX": "scin"}
    assert run(MODELS, **chosen).returncode == 0
    done = run(MODELS, **(chosen | {"DERMSERVE_SCIN_LIMIT": "1"}), FAIL="scin build")
    assert "SCIN_BUCKET_PATH" in error_line(done)
    recipe = Path(instance["DERMSERVE_VAR"]) / "index/scin.recipe"
    assert recipe.read_text().split()[-1] == "500"


def test_without_machine_learning_nothing_is_fetched(instance: dict[str, str]) -> None:
    assert run(MODELS, **instance, ML_AVAILABLE="false").returncode == 0
    assert calls(instance) == []


def test_environment_properties_are_read_from_the_platform(instance: dict[str, str], tmp_path: Path) -> None:
    properties = {"DERMSERVE_INDEX": "scin", "SCIN_BUCKET_PATH": "a 'quoted' $(touch evil)", "TMPDIR": "/nonexistent"}
    reader = executable(tmp_path / "get-config", f"#!/bin/sh\ncat <<'EOF'\n{json.dumps(properties)}\nEOF\n")
    del instance["SCIN_BUCKET_PATH"]
    assert run(MODELS, **(instance | {"EB_APP_ENV": str(reader)})).returncode == 0
    (build,) = [call for call in calls(instance) if call.startswith("scin build")]
    assert "--source a 'quoted' $(touch evil) --out" in build


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the owner of files")
def test_files_belong_to_the_configured_owner(instance: dict[str, str]) -> None:
    assert run(MODELS, **(instance | {"DERMSERVE_OWNER": "nobody"})).returncode == 0
    folder = Path(instance["DERMSERVE_VAR"])
    assert {path.owner() for path in (folder, *folder.rglob("*"))} == {"nobody"}
