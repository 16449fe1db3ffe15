"""The allow-list accepts what operators need, and names what the platform would refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy.allowlist import ENVIRONMENT, SECRETS, contradictions, objection

INSTANCES = "aws:ec2:instances"
LAUNCH = "aws:autoscaling:launchconfiguration"
HEALTH = "aws:elasticbeanstalk:healthreporting:system"
BALANCER = "aws:elbv2:loadbalancer"
SPLIT = "aws:elasticbeanstalk:trafficsplitting"
SECRET = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:dermserve/api-keys-AbCd12"


def document(**rules: object) -> str:
    return json.dumps({"Version": 1, "Rules": {"Environment": rules}})


@pytest.mark.parametrize(
    "setting",
    [
        (SECRETS, "DERMSERVE_API_KEYS", SECRET),
        (SECRETS, "DERMSERVE_API_KEYS", f"{SECRET}:keys"),
        (SECRETS, "DERMSERVE_RATE_LIMIT_STORAGE", "arn:aws:ssm:us-east-1:111122223333:parameter/dermserve/redis"),
        (LAUNCH, "ImageId", "ami-0123456789abcdef0"),
        (INSTANCES, "EnableSpot", "true"),
        (INSTANCES, "SpotFleetOnDemandBase", "1"),
        (INSTANCES, "SpotFleetOnDemandAboveBasePercentage", "0"),
        (INSTANCES, "SpotMaxPrice", "0.25"),
        (INSTANCES, "SpotMaxPrice", "null"),
        ("aws:autoscaling:asg", "EnableCapacityRebalancing", "true"),
        (BALANCER, "AccessLogsS3Enabled", "true"),
        (BALANCER, "AccessLogsS3Bucket", "dermserve-access-logs"),
        (BALANCER, "AccessLogsS3Prefix", "prod"),
        ("aws:elasticbeanstalk:command", "DeploymentPolicy", "TrafficSplitting"),
        (SPLIT, "NewVersionPercent", "10"),
        (SPLIT, "EvaluationTime", "3"),
        (HEALTH, "ConfigDocument", document(ELB={"ELBRequests4xx": {"Enabled": False}})),
    ],
)
def test_what_operators_need_is_allowed(setting: tuple[str, str, str]) -> None:
    assert objection(*setting) is None


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ((SECRETS, "DERMSERVE_API_KEYS", "arn:aws:s3:::bucket/keys"), "the ARN of a secret"),
        ((SECRETS, "DERMSERVE_API_KEYS", "arn:aws:ssm:us-east-1:111122223333:parameter/a:key"), "the ARN of a secret"),
        ((LAUNCH, "ImageId", "i-0123456789abcdef0"), "an image"),
        ((INSTANCES, "SpotMaxPrice", "21"), "0.001 to 20"),
        ((INSTANCES, "SpotFleetOnDemandAboveBasePercentage", "101"), "0 to 100"),
        ((BALANCER, "AccessLogsS3Bucket", "My_Bucket"), "a bucket"),
        ((SPLIT, "EvaluationTime", "2"), "3 to 600"),
        ((SPLIT, "NewVersionPercent", "0"), "1 to 100"),
        ((HEALTH, "ConfigDocument", "{"), "JSON"),
        ((HEALTH, "ConfigDocument", "[]"), "JSON"),
        ((HEALTH, "ConfigDocument", document(Application={"ApplicationRequests5xx": {"Enabled": False}})), "4xx"),
        ((HEALTH, "ConfigDocument", document(ELB={"ELBRequests4xx": {"Enabled": "false"}})), "true or false"),
    ],
)
def test_what_the_platform_refuses_is_named(setting: tuple[str, str, Any], said: str) -> None:
    assert said in str(objection(*setting))


def test_a_secret_in_place_of_its_arn_is_not_repeated() -> None:
    refused = objection(SECRETS, "DERMSERVE_API_KEYS", "a-key-that-nobody-may-read")
    assert refused is not None
    assert "nobody" not in refused


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({("aws:autoscaling:asg", "MinSize"): "4", ("aws:autoscaling:asg", "MaxSize"): "3"}, "larger than MaxSize"),
        ({("aws:autoscaling:trigger", "Period"): "1"}, "BreachDuration must be Period times EvaluationPeriods, 1"),
        ({("aws:elasticbeanstalk:command", "DeploymentPolicy"): "Immutable"}, "both be Immutable"),
        ({(ENVIRONMENT, "DERMSERVE_API_KEYS"): "x", (SECRETS, "DERMSERVE_API_KEYS"): SECRET}, "both an environment"),
    ],
)
def test_settings_that_contradict_each_other_are_named(settings: dict[tuple[str, str], object], said: str) -> None:
    (line,) = contradictions(settings)
    assert said in line
