"""The alarms and metric filters are valid CloudFormation, and cover each target of the specification."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint

from deploy.ebextensions import config_files, load, resources

ROOT = Path(__file__).resolve().parents[3]
RESOURCES = resources(config_files(ROOT))
ALARMS = {name: r["Properties"] for name, r in RESOURCES.items() if r["Type"] == "AWS::CloudWatch::Alarm"}
HTTPS = ROOT / ".ebextensions/92-https.config.example"

#: resources of the platform's own template that ours refer to
PLATFORM: dict[str, Any] = {
    "AWSEBAutoScalingGroup": {
        "Type": "AWS::AutoScaling::AutoScalingGroup",
        "Properties": {
            "MinSize": "1",
            "MaxSize": "3",
            "AvailabilityZones": {"Fn::GetAZs": ""},
            "LaunchTemplate": {"LaunchTemplateId": "lt-0123456789abcdef0", "Version": "1"},
        },
    },
    "AWSEBV2LoadBalancer": {
        "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "Properties": {"Subnets": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]},
    },
    "AWSEBV2LoadBalancerTargetGroup": {
        "Type": "AWS::ElasticLoadBalancingV2::TargetGroup",
        "Properties": {"Port": 80, "Protocol": "HTTP", "VpcId": "vpc-0123456789abcdef0"},
    },
}


def _over_the_platforms(name: str, resource: dict[str, Any]) -> dict[str, Any]:
    """A resource as the platform merges it: our properties over those of its own resource of this name."""
    own = PLATFORM.get(name, {}).get("Properties", {})
    return resource | {"Properties": own | resource.get("Properties", {})}


def check(ours: dict[str, Any]) -> list[str]:
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Parameters": {"AWSEBEnvironmentName": {"Type": "String"}},
        "Resources": PLATFORM | {name: _over_the_platforms(name, resource) for name, resource in ours.items()},
    }
    # Only errors and warnings, because the linter's hints apply to complete templates.
    return [str(match) for match in lint(json.dumps(template))]


def functions(node: object) -> Iterator[str]:
    """Names of the intrinsic functions below ``node``."""
    if isinstance(node, dict):
        for key, below in node.items():
            if key == "Ref" or str(key).startswith("Fn::"):
                yield str(key)
            yield from functions(below)
    elif isinstance(node, list):
        for below in node:
            yield from functions(below)


def metrics_of(alarm: dict[str, Any]) -> set[str]:
    queried = [
        query["MetricStat"]["Metric"]["MetricName"] for query in alarm.get("Metrics", []) if "MetricStat" in query
    ]
    return {*queried, *([alarm["MetricName"]] if "MetricName" in alarm else [])}


def test_cloudformation_accepts_the_resources() -> None:
    assert check(RESOURCES) == []


def test_cloudformation_accepts_the_https_example() -> None:
    assert check(RESOURCES | load(HTTPS)["Resources"]) == []


def test_the_check_would_find_a_mistake() -> None:
    broken = {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Treshold": 1}}}
    assert check(broken) != []


def test_only_functions_that_the_platform_documents() -> None:
    assert set(functions(RESOURCES)) <= {"Ref", "Fn::GetAtt", "Fn::Join", "Fn::GetOptionSetting"}


@pytest.mark.parametrize(
    ("metric", "threshold"),
    [
        ("CPUUtilization", 70),
        ("mem_used_percent", 80),
        ("disk_used_percent", 80),
        ("NetworkIn", 50),
        ("TargetResponseTime", 10),
        ("InferenceTime", 5000),
        ("HTTPCode_Target_5XX_Count", 1),
    ],
)
def test_each_target_has_an_alarm_at_its_limit(metric: str, threshold: int) -> None:
    (alarm,) = [alarm for alarm in ALARMS.values() if metric in metrics_of(alarm)]
    assert alarm["Threshold"] == threshold
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"


def test_every_alarm_is_sent_and_has_a_description() -> None:
    for name, alarm in ALARMS.items():
        assert alarm["AlarmActions"] == [{"Ref": "DermserveAlarmTopic"}], name
        # The severity, the cause, and the section of the runbook.
        pattern = rf"Severity [1-3]\. .{{20,}}[.] docs/operations\.md#alarm-{name.lower()}"
        assert re.fullmatch(pattern, alarm["AlarmDescription"]), name


def test_a_missing_agent_raises_an_alarm() -> None:
    for name in ("DermserveMemoryAlarm", "DermserveDiskAlarm"):
        assert ALARMS[name]["InsufficientDataActions"] == [{"Ref": "DermserveAlarmTopic"}]


def test_refusals_because_of_overload_are_not_errors() -> None:
    (fault,) = [alarm for name, alarm in ALARMS.items() if name == "DermserveFaultAlarm"]
    (expression,) = [query["Expression"] for query in fault["Metrics"] if query["ReturnData"]]
    assert "answered + broken - refused" in expression
    assert ALARMS["DermserveShedAlarm"]["MetricName"] == "ShedRequests"


def test_alarms_read_the_metrics_that_the_filters_write() -> None:
    written = {}
    for resource in RESOURCES.values():
        if resource["Type"] == "AWS::Logs::MetricFilter":
            (made,) = resource["Properties"]["MetricTransformations"]
            written[made["MetricName"]] = made["MetricNamespace"]
    assert set(written) == {"InferenceTime", "ShedRequests"}
    for name in ("DermserveInferenceTimeAlarm", "DermserveShedAlarm"):
        assert written[ALARMS[name]["MetricName"]] == ALARMS[name]["Namespace"]


def test_percentages_are_written_as_ratios_of_the_baseline() -> None:
    """50% of 2.5 Gbit/s is 9.375 GB per minute."""
    (expression,) = [q["Expression"] for q in ALARMS["DermserveNetworkAlarm"]["Metrics"] if "Expression" in q]
    assert expression.endswith("* 8 / 60 / 2500000000 * 100")
    assert ALARMS["DermserveNetworkAlarm"]["Threshold"] == 9_375_000_000 * 8 / 60 / 2_500_000_000 * 100
