"""The saved configurations: their location, allowed options, and consistent settings."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from deploy.allowlist import ENVIRONMENT, ENVIRONMENT_LIMIT, contradictions, objection
from deploy.ebextensions import all_settings, load
from settings import Settings

ROOT = Path(__file__).resolve().parents[3]
#: where `eb config put NAME` and `eb create --cfg NAME` look
FOLDER = ROOT / ".elasticbeanstalk"
NAMES = ["basic-ml", "cost", "full-scin", "gpu", "recommended"]
HOOK = ROOT / ".platform/hooks/predeploy/20_models_and_index.sh"


def options(name: str) -> dict[str, dict[str, str]]:
    saved = load(FOLDER / f"{name}.cfg.yml")["OptionSettings"]
    assert isinstance(saved, dict)
    return saved


def hook_settings() -> set[str]:
    """Variables that only the predeploy hook reads, from the comment at its start."""
    return set(re.findall(r"^#   (DERMSERVE_\w+) ", HOOK.read_text(), re.MULTILINE))


def test_these_are_the_specifications_options() -> None:
    assert sorted(path.name for path in FOLDER.glob("*.cfg.yml")) == [f"{name}.cfg.yml" for name in NAMES]
    default = str(all_settings(ROOT)["aws:ec2:instances", "InstanceTypes"])
    types = {name: options(name).get("aws:ec2:instances", {}).get("InstanceTypes", default) for name in NAMES}
    assert types.pop("recommended") == "m5.xlarge"  # by deploy/sizing, not by the specification
    assert types == {"basic-ml": "m5.2xlarge", "cost": "c5.2xlarge", "full-scin": "r5.2xlarge", "gpu": "g4dn.xlarge"}


@pytest.mark.parametrize("name", NAMES)
def test_git_keeps_them(name: str) -> None:
    ignored = subprocess.run(["git", "check-ignore", "-q", f".elasticbeanstalk/{name}.cfg.yml"], cwd=ROOT, check=False)
    assert ignored.returncode == 1


@pytest.mark.parametrize("name", NAMES)
def test_each_option_is_allowed(name: str) -> None:
    saved = load(FOLDER / f"{name}.cfg.yml")
    assert set(saved) == {
        "EnvironmentConfigurationMetadata",
        "AWSConfigurationTemplateVersion",
        "EnvironmentTier",
        "OptionSettings",
    }
    settings = [(namespace, option, v) for namespace, group in options(name).items() for option, v in group.items()]
    assert [line for setting in settings if (line := objection(*setting))] == []


@pytest.mark.parametrize("name", NAMES)
def test_it_names_the_instance_profile_that_eb_create_does_not_send(name: str) -> None:
    assert options(name)["aws:autoscaling:launchconfiguration"] == {
        "IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"
    }


@pytest.mark.parametrize("name", NAMES)
def test_it_repeats_nothing_of_ebextensions(name: str) -> None:
    """A saved configuration outranks .ebextensions, so what it repeats could no longer be changed there."""
    files = all_settings(ROOT)
    saved = {(space, option): v for space, group in options(name).items() for option, v in group.items()}
    assert [key for key, v in saved.items() if files.get(key) == v] == []
    assert contradictions(files | saved) == []


@pytest.mark.parametrize("name", NAMES)
def test_with_the_common_environment_the_application_accepts_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    common = {option: str(v) for (namespace, option), v in all_settings(ROOT).items() if namespace == ENVIRONMENT}
    variables = common | options(name).get(ENVIRONMENT, {})
    assert sorted(set(variables) - set(Settings.environment_names()) - hook_settings()) == []
    assert sum(len(f"{key}={text}".encode()) for key, text in variables.items()) <= ENVIRONMENT_LIMIT
    for known in Settings.environment_names():
        monkeypatch.delenv(known, raising=False)
    for key, text in variables.items():
        monkeypatch.setenv(key, text)
    settings = Settings.load()
    # All analyses can run, and threads remain for health checks and refusals.
    assert settings.running_per_worker * settings.gunicorn_workers == settings.max_workers
    assert settings.running_per_worker <= settings.admitted_per_worker


def test_only_the_gpu_option_needs_a_gpu_and_is_marked_untried() -> None:
    asking = [name for name in NAMES if options(name).get(ENVIRONMENT, {}).get("ENABLE_GPU") == "true"]
    assert asking == ["gpu"]
    assert "UNTRIED" in load(FOLDER / "gpu.cfg.yml")["EnvironmentConfigurationMetadata"]["Description"]
