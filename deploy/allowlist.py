"""The Elastic Beanstalk options that this project may set, and the values that each accepts.

One unknown option fails a whole deployment ("Invalid option specification"), and no library ships the list. So
this is the project's own, made from the developer guide's general options and the Python platform's: what is not
here may exist, but was not checked. Adding an option means reading the guide first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

#: value → None if it is allowed, else what is allowed
Rule = Callable[[str], str | None]

#: bytes of all environment properties together (names, values, and one "=" each)
ENVIRONMENT_LIMIT = 4096
ENVIRONMENT = "aws:elasticbeanstalk:application:environment"


def _one_of(*choices: str) -> Rule:
    return lambda value: None if value in choices else " or ".join(choices)


def _whole(low: int, high: int) -> Rule:
    def check(value: str) -> str | None:
        fits = re.fullmatch(r"-?\d+", value) and low <= int(value) <= high
        return None if fits else f"a whole number from {low} to {high}"

    return check


def _like(pattern: str, words: str) -> Rule:
    return lambda value: None if re.fullmatch(pattern, value) else words


_TRUTH = _one_of("true", "false")
_TEXT = _like(r"\S(.*\S)?", "some text")
_RETENTION = _one_of(
    "1", "3", "5", "7", "14", "30", "60", "90", "120", "150", "180", "365", "400", "731", "1827", "3653"
)
_IDS = _like(r"[a-z]+-[0-9a-f]{8,17}(,[a-z]+-[0-9a-f]{8,17})*", "ids separated by commas")
_INSTANCE_TYPES = _like(
    r"[a-z]+\d+[a-z-]*\.[a-z0-9-]+(, ?[a-z]+\d+[a-z-]*\.[a-z0-9-]+){0,39}", "1 to 40 instance types"
)
_ARN = r"arn:aws[a-z-]*:"
_PERIOD = _like(r"PT(\d+H)?(\d+M)?(\d+S)?(?<!PT)", "a duration such as PT1H")
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_.][A-Za-z0-9_.]*")

ALLOWED: Mapping[str, Mapping[str, Rule]] = {
    "aws:ec2:instances": {
        "InstanceTypes": _INSTANCE_TYPES,
        "SupportedArchitectures": _one_of("x86_64", "arm64"),
    },
    "aws:ec2:vpc": {
        "VPCId": _IDS,
        "Subnets": _IDS,
        "ELBSubnets": _IDS,
        "ELBScheme": _one_of("public", "internal"),
        "AssociatePublicIpAddress": _TRUTH,
    },
    "aws:autoscaling:launchconfiguration": {
        "RootVolumeType": _one_of("gp3", "gp2", "io1", "standard"),
        "RootVolumeSize": _whole(10, 16_384),
        "RootVolumeIOPS": _whole(3000, 16_000),
        "RootVolumeThroughput": _whole(125, 1000),
        "DisableIMDSv1": _TRUTH,
        "MonitoringInterval": _one_of("1 minute", "5 minute"),
        "IamInstanceProfile": _TEXT,
        "SecurityGroups": _IDS,
    },
    "aws:autoscaling:asg": {
        "MinSize": _whole(1, 10_000),
        "MaxSize": _whole(1, 10_000),
        "Cooldown": _whole(0, 10_000),
    },
    "aws:autoscaling:trigger": {
        "MeasureName": _one_of("CPUUtilization", "NetworkIn", "NetworkOut", "Latency", "RequestCount"),
        "Statistic": _one_of("Minimum", "Maximum", "Sum", "Average"),
        "Unit": _one_of("Seconds", "Percent", "Bytes", "Bits", "Count", "Bytes/Second", "Count/Second", "None"),
        "UpperThreshold": _whole(0, 20_000_000),
        "LowerThreshold": _whole(0, 20_000_000),
        "Period": _whole(1, 600),
        "EvaluationPeriods": _whole(1, 600),
        "BreachDuration": _whole(1, 600),
        "UpperBreachScaleIncrement": _whole(1, 100),
        "LowerBreachScaleIncrement": _whole(-100, -1),
    },
    "aws:autoscaling:updatepolicy:rollingupdate": {
        "RollingUpdateEnabled": _TRUTH,
        "RollingUpdateType": _one_of("Time", "Health", "Immutable"),
        "Timeout": _PERIOD,
    },
    "aws:elasticbeanstalk:command": {
        "DeploymentPolicy": _one_of(
            "AllAtOnce", "Rolling", "RollingWithAdditionalBatch", "Immutable", "TrafficSplitting"
        ),
        "Timeout": _whole(1, 3600),
        "IgnoreHealthCheck": _TRUTH,
    },
    "aws:elasticbeanstalk:environment": {
        "EnvironmentType": _one_of("LoadBalanced", "SingleInstance"),
        "LoadBalancerType": _one_of("application", "network", "classic"),
        "ServiceRole": _TEXT,
    },
    "aws:elasticbeanstalk:environment:process:default": {
        "HealthCheckPath": _like(r"/\S*", "a path"),
        "MatcherHTTPCode": _like(r"[2-4]\d\d([,-][2-4]\d\d)*", "HTTP status codes"),
        "HealthCheckInterval": _whole(5, 300),
        "HealthCheckTimeout": _whole(1, 60),
        "HealthyThresholdCount": _whole(2, 10),
        "UnhealthyThresholdCount": _whole(2, 10),
        "DeregistrationDelay": _whole(0, 3600),
        "Port": _whole(1, 65_535),
        "Protocol": _one_of("HTTP", "HTTPS"),
    },
    "aws:elasticbeanstalk:environment:proxy": {"ProxyServer": _one_of("nginx", "apache")},
    "aws:elasticbeanstalk:healthreporting:system": {
        "SystemType": _one_of("basic", "enhanced"),
        "HealthCheckSuccessThreshold": _one_of("Ok", "Warning", "Degraded", "Severe"),
        "ConfigDocument": _TEXT,
    },
    "aws:elasticbeanstalk:cloudwatch:logs": {
        "StreamLogs": _TRUTH,
        "DeleteOnTerminate": _TRUTH,
        "RetentionInDays": _RETENTION,
    },
    "aws:elasticbeanstalk:cloudwatch:logs:health": {
        "HealthStreamingEnabled": _TRUTH,
        "RetentionInDays": _RETENTION,
    },
    "aws:elasticbeanstalk:hostmanager": {"LogPublicationControl": _TRUTH},
    "aws:elasticbeanstalk:managedactions": {
        "ManagedActionsEnabled": _TRUTH,
        "PreferredStartTime": _like(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun):([01]\d|2[0-3]):[0-5]\d", "day:hour:minute"),
    },
    "aws:elasticbeanstalk:managedactions:platformupdate": {"UpdateLevel": _one_of("patch", "minor")},
    "aws:elbv2:loadbalancer": {"IdleTimeout": _whole(1, 3600)},
    "aws:elbv2:listener:443": {
        "ListenerEnabled": _TRUTH,
        "Protocol": _one_of("HTTP", "HTTPS"),
        "DefaultProcess": _TEXT,
        "SSLCertificateArns": _like(_ARN + r"(acm|iam):[\w:/-]+", "the ARN of a certificate"),
        "SSLPolicy": _like(r"ELBSecurityPolicy-[\w-]+", "a predefined policy of the load balancer"),
    },
}


def objection(namespace: str, option: str, value: object) -> str | None:
    """Why the platform would refuse this setting (or misread it), in one line; None if it is allowed."""
    where = f"{namespace}: {option}"
    if not isinstance(value, str):
        return f"{where} is not quoted: YAML reads it as {type(value).__name__}"
    if namespace == ENVIRONMENT:
        return None if _ENVIRONMENT_NAME.fullmatch(option) else f"{where} is not a name for an environment property"
    if namespace not in ALLOWED:
        return f"{namespace} is not a known namespace"
    if option not in ALLOWED[namespace]:
        return f"{where} is not a known option"
    wanted = ALLOWED[namespace][option](value)
    return f"{where} is '{value}'; allowed is {wanted}" if wanted else None
