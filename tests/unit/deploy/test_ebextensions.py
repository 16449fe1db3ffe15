"""Checks every option of .ebextensions, because one mistake makes a whole deployment fail."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.allowlist import ENVIRONMENT, ENVIRONMENT_LIMIT, contradictions, objection
from deploy.ebextensions import (
    TOP_LEVEL,
    ConfigError,
    all_settings,
    config_files,
    load,
    option_settings,
    resources,
)
from settings import Settings

ROOT = Path(__file__).resolve().parents[3]
FILES = config_files(ROOT)
#: a reference to the log group itself
EVENT_LOG = {"Ref": "DermserveEventLog"}
EXAMPLES = sorted((ROOT / ".ebextensions").glob("*.config.example"))


def value(namespace: str, option: str) -> str:
    return str(all_settings(ROOT)[namespace, option])


def environment() -> dict[str, str]:
    return {option: str(v) for (namespace, option), v in all_settings(ROOT).items() if namespace == ENVIRONMENT}


def seconds(text: str, directive: str) -> int:
    found = re.search(rf"^\s*{directive} (\d+)s;", text, re.MULTILINE)
    assert found, directive
    return int(found[1])


def test_there_are_files_and_only_these_are_read() -> None:
    assert len(FILES) >= 10
    assert len(EXAMPLES) >= 2
    assert all(re.fullmatch(r"\d\d-[a-z-]+\.config", path.name) for path in FILES)


@pytest.mark.parametrize("path", FILES + EXAMPLES, ids=lambda path: path.name)
def test_each_option_is_allowed(path: Path) -> None:
    config = load(path)
    assert set(config) <= TOP_LEVEL
    objections = [objection(*setting) for setting in option_settings(config)]
    assert [line for line in objections if line] == []


def test_no_option_is_set_by_two_files_and_no_two_contradict() -> None:
    assert contradictions(all_settings(ROOT)) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_live_files_hold_no_placeholder(path: Path) -> None:
    assert not re.search(r"(vpc|subnet|sg)-[0x]|xxx|REPLACE|000000000000", path.read_text())


def test_the_instance_is_pinned() -> None:
    assert value("aws:ec2:instances", "InstanceTypes") == "m5.2xlarge"
    assert value("aws:ec2:instances", "SupportedArchitectures") == "x86_64"


def test_the_root_volume_is_the_specifications() -> None:
    volume = {
        option: value("aws:autoscaling:launchconfiguration", f"RootVolume{option}")
        for option in ("Type", "Size", "IOPS")
    }
    assert volume == {"Type": "gp3", "Size": "100", "IOPS": "3000"}
    assert int(value("aws:autoscaling:launchconfiguration", "RootVolumeThroughput")) >= 125


def test_one_to_three_instances_scale_on_cpu() -> None:
    assert (value("aws:autoscaling:asg", "MinSize"), value("aws:autoscaling:asg", "MaxSize")) == ("1", "3")
    trigger = "aws:autoscaling:trigger"
    assert value(trigger, "MeasureName") == "CPUUtilization"
    assert value(trigger, "Unit") == "Percent"
    # A period of one minute needs data of every minute.
    assert value(trigger, "Period") == "1"
    assert value("aws:autoscaling:launchconfiguration", "MonitoringInterval") == "1 minute"


def test_adding_an_instance_does_not_cause_removing_one() -> None:
    upper = int(value("aws:autoscaling:trigger", "UpperThreshold"))
    assert upper <= 70
    # With two instances instead of one, each has half the load, which must stay above the lower threshold.
    assert 0 < int(value("aws:autoscaling:trigger", "LowerThreshold")) < upper / 2


def test_each_step_waits_longer_than_the_one_before_it() -> None:
    """The application (285 s) < gunicorn = nginx (300 s) < the load balancer (330 s) < nginx's idle connections."""
    variables = environment()
    conf = ROOT / ".platform/nginx/conf.d"
    application = min(int(variables["ANALYSIS_TIMEOUT"]), int(variables["GUNICORN_TIMEOUT"]) - 15)
    gunicorn = int(variables["GUNICORN_TIMEOUT"])
    nginx = seconds((conf / "dermserve.conf").read_text(), "proxy_read_timeout")
    balancer = int(value("aws:elbv2:loadbalancer", "IdleTimeout"))
    idle = seconds((conf / "elasticbeanstalk/10_dermserve.conf").read_text(), "keepalive_timeout")
    assert application < gunicorn == nginx < balancer < idle
    assert (application, gunicorn, balancer) == (285, 300, 330)
    assert int(value("aws:elasticbeanstalk:environment:process:default", "DeregistrationDelay")) >= gunicorn


def test_a_deployment_is_immutable_and_has_time() -> None:
    assert value("aws:elasticbeanstalk:command", "DeploymentPolicy") == "Immutable"
    assert value("aws:autoscaling:updatepolicy:rollingupdate", "RollingUpdateType") == "Immutable"
    assert value("aws:elasticbeanstalk:healthreporting:system", "SystemType") == "enhanced"
    assert int(value("aws:elasticbeanstalk:command", "Timeout")) >= 1800


def test_wrong_requests_and_a_busy_instance_do_not_fail_a_deployment() -> None:
    health = "aws:elasticbeanstalk:healthreporting:system"
    rules = json.loads(value(health, "ConfigDocument"))["Rules"]["Environment"]
    assert rules == {
        "Application": {"ApplicationRequests4xx": {"Enabled": False}},
        "ELB": {"ELBRequests4xx": {"Enabled": False}},
    }
    # One level below Ok. Degraded would let a version pass that fails many requests.
    assert value(health, "HealthCheckSuccessThreshold") == "Warning"


def test_an_instance_that_never_gets_ready_is_replaced_but_not_while_it_loads() -> None:
    group = resources(FILES)["AWSEBAutoScalingGroup"]["Properties"]
    assert group["HealthCheckType"] == "ELB"
    assert group["HealthCheckGracePeriod"] >= int(value("aws:elasticbeanstalk:command", "Timeout"))


def test_changes_in_place_take_one_instance_at_a_time() -> None:
    command = "aws:elasticbeanstalk:command"
    assert (value(command, "BatchSizeType"), value(command, "BatchSize")) == ("Fixed", "1")


def test_an_environment_can_be_made_again_under_the_same_name() -> None:
    """Each resource with a fixed name has the environment's stack in it; others get a name from CloudFormation."""
    named = [
        resource["Properties"][key]
        for resource in resources(FILES).values()
        for key in ("LogGroupName", "TopicName", "AlarmName", "FilterName")
        if isinstance(resource["Properties"].get(key), (str, dict)) and resource["Properties"][key] != EVENT_LOG
    ]
    assert len(named) == 1
    assert {"Ref": "AWS::StackName"} in named[0]["Fn::Join"][1]


def test_requests_wait_for_readiness() -> None:
    process = "aws:elasticbeanstalk:environment:process:default"
    assert value(process, "HealthCheckPath") == "/health/ready"
    assert int(value(process, "HealthCheckTimeout")) < int(value(process, "HealthCheckInterval"))


def test_the_environment_is_known_to_the_application_and_fits() -> None:
    variables = environment()
    assert sorted(set(variables) - set(Settings.environment_names())) == []
    size = sum(len(f"{name}={text}".encode()) for name, text in variables.items())
    assert size <= ENVIRONMENT_LIMIT


def test_the_application_accepts_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.environment_names():
        monkeypatch.delenv(name, raising=False)
    for name, text in environment().items():
        monkeypatch.setenv(name, text)
    settings = Settings.load()
    assert settings.flask_env == "production"
    assert settings.deadline_s == 285
    assert str(settings.models_dir) == "/var/lib/dermserve/models"


def test_the_agents_settings_are_json_and_name_what_the_alarms_read() -> None:
    files = load(ROOT / ".ebextensions/80-agent.config")["files"]
    text = files["/opt/dermserve/cloudwatch-agent.json"]["content"]
    filled = text.replace('`{"Ref": "AWSEBEnvironmentName"}`', "skin-prod")
    agent = json.loads(filled.replace('`{"Ref": "AWS::StackName"}`', "awseb-e-abc-stack"))
    assert agent["metrics"]["namespace"] == "DermServe/Instances"
    assert agent["metrics"]["aggregation_dimensions"] == [["EnvironmentName"]]
    for name in ("mem", "disk"):
        assert agent["metrics"]["metrics_collected"][name]["measurement"] == ["used_percent"]
        assert agent["metrics"]["metrics_collected"][name]["append_dimensions"] == {"EnvironmentName": "skin-prod"}
    (collected,) = agent["logs"]["logs_collected"]["files"]["collect_list"]
    assert collected["log_group_name"] == "/aws/elasticbeanstalk/skin-prod/dermserve/awseb-e-abc-stack/events.log"
    assert collected["file_path"] in files["/opt/dermserve/rsyslog.conf"]["content"]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (("aws:elasticbeanstalk:environment", "VPCId", "vpc-1"), "not a known option"),
        (("aws:elasticbeanstalk:container:python", "Timeout", "300"), "not a known namespace"),
        (("aws:elbv2:loadbalancer", "IdleTimeout", "3601"), "from 1 to 3600"),
        (("aws:elbv2:loadbalancer", "IdleTimeout", 330), "not quoted"),
        (("aws:ec2:instances", "InstanceTypes", "m5_2xlarge"), "instance types"),
        (("aws:elasticbeanstalk:command", "DeploymentPolicy", "immutable"), "Immutable"),
        (("aws:elasticbeanstalk:managedactions", "PreferredStartTime", "Tue:24:00"), "day:hour:minute"),
        ((ENVIRONMENT, "NOT-A-NAME", "1"), "not a valid name"),
    ],
)
def test_settings_that_the_platform_refuses_are_named(setting: tuple[str, str, Any], said: str) -> None:
    assert said in str(objection(*setting))


@pytest.mark.parametrize(
    "text",
    [
        "option_settings:\n  a:\n    b: '1'\noption_settings:\n  c:\n    d: '1'\n",
        "option_settings:\n  a:\n    b: '1'\n  a:\n    c: '1'\n",
        "option_settings:\n  a:\n    b: '1'\n    b: '2'\n",
        "- a list\n",
        "a: [unclosed\n",
    ],
    ids=["top level", "namespace", "option", "no mapping", "no YAML"],
)
def test_files_that_would_lose_settings_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "10-wrong.config"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"10-wrong\.config"):
        load(path)


def test_an_option_in_two_files_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / ".ebextensions"
    folder.mkdir()
    for name in ("10-a.config", "20-b.config"):
        (folder / name).write_text(yaml.safe_dump({"option_settings": {"a": {"b": "1"}}}))
    with pytest.raises(ConfigError, match="also set by another file"):
        all_settings(tmp_path)
