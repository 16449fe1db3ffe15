"""The simulated API keeps, refuses and ranks settings like the platform."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.allowlist import ENVIRONMENT
from deploy.rehearsal.eb_api import Operations
from deploy.rehearsal.eb_records import PLATFORM_ARN, Records
from deploy.rehearsal.eb_settings import INSTANCE_PROFILE, ApiError, saved_settings, settings_of
from deploy.rehearsal.engine import read_options

ROOT = Path(__file__).resolve().parents[3]
BASIC = (ROOT / ".elasticbeanstalk" / "basic-ml.cfg.yml").read_text()
CREATE = {"EnvironmentName": "e", "VersionLabel": "v1", "TemplateName": "basic-ml", "PlatformArn": PLATFORM_ARN}


@dataclass
class Stage:
    """In place of the instances: notes what is asked of them."""

    saved: str = BASIC
    begun: list[str] = field(default_factory=list)

    def create(self, label: str, request_id: str) -> None:
        self.begun.append(f"create {label}")

    def deploy(self, label: str, request_id: str) -> None:
        self.begun.append(f"deploy {label}")

    def configure(self, label: str, request_id: str) -> None:
        self.begun.append(f"configure {label}")

    def restart(self, label: str, request_id: str) -> None:
        self.begun.append(f"restart {label}")

    def saved_configuration(self, name: str) -> str:
        return self.saved


def option(namespace: str, name: str, value: str | None = None, group: str = "OptionSettings") -> dict[str, str]:
    member = f"{group}.member.1"
    given = {} if value is None else {f"{member}.Value": value}
    return {f"{member}.Namespace": namespace, f"{member}.OptionName": name} | given


def test_an_environment_with_a_profile_is_created() -> None:
    stage, records = Stage(), Records()
    Operations(records, stage).call("CreateEnvironment", CREATE, "r")
    assert stage.begun == ["create v1"]
    assert records.settings == {INSTANCE_PROFILE: "aws-elasticbeanstalk-ec2-role"}


def test_an_environment_without_a_profile_is_refused() -> None:
    stage, records = Stage(BASIC.replace("IamInstanceProfile", "EC2KeyName")), Records()
    Operations(records, stage).call("CreateEnvironment", CREATE, "r")
    assert stage.begun == []
    assert [event.message for event in records.events("r", None)][:2] == [
        "Failed to launch environment.",
        "Environment must have instance profile associated with it.",
    ]


def test_a_saved_configuration_without_a_platform_needs_one_from_the_client() -> None:
    with pytest.raises(ApiError, match="no solution stack"):
        Operations(Records(), Stage()).call("CreateEnvironment", CREATE | {"PlatformArn": ""}, "r")


def test_a_new_version_is_deployed_and_other_changes_are_made_in_place() -> None:
    stage, records = Stage(), Records()
    operations = Operations(records, stage)
    operations.call("UpdateEnvironment", {"VersionLabel": "v2"}, "r")
    operations.call("UpdateEnvironment", option(ENVIRONMENT, "DERMSERVE_LOG_LEVEL", "DEBUG"), "r")
    operations.call("RestartAppServer", {}, "r")
    assert [begun.split()[0] for begun in stage.begun] == ["deploy", "configure", "restart"]
    assert records.settings == {(ENVIRONMENT, "DERMSERVE_LOG_LEVEL"): "DEBUG"}
    removal = option(ENVIRONMENT, "DERMSERVE_LOG_LEVEL", group="OptionsToRemove")
    operations.call("UpdateEnvironment", removal, "r")
    assert records.settings == {}


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ApiError, match="Invalid option specification"):
        settings_of(option("aws:autoscaling:asg", "Size", "2"))
    with pytest.raises(ApiError, match="Invalid option specification"):
        saved_settings("OptionSettings:\n  aws:autoscaling:asg:\n    MinSize: '0'\n")


def test_settings_of_the_api_outrank_ebextensions() -> None:
    asg, command = "aws:autoscaling:asg", "aws:elasticbeanstalk:command"
    outranking = {(asg, "MinSize"): "2", (ENVIRONMENT, "MAX_WORKERS"): "1", (command, "BatchSizeType"): "Percentage"}
    options = read_options(ROOT, outranking | {(command, "BatchSize"): "30"})
    assert (options.instances, options.properties["MAX_WORKERS"]) == (2, "1")
    # 30% of the instances, rounded up
    assert [options.batch_of(instances) for instances in (1, 2, 4, 10)] == [1, 1, 2, 3]
