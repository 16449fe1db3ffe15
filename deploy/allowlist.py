"""The Elastic Beanstalk options that this project may set, and the values that each accepts.

One unknown option makes a whole deployment fail ("Invalid option specification"), and no library contains the list.
This list comes from the developer guide (general options and Python platform options) and holds only the options that
this project has checked. Read the guide before you add an option.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

#: takes a value; returns None if it is allowed, otherwise a description of the allowed values
Rule = Callable[[str], str | None]

#: maximum bytes of all environment properties (names, values and one "=" each)
ENVIRONMENT_LIMIT = 4096
ENVIRONMENT = "aws:elasticbeanstalk:application:environment"
#: environment properties whose values the platform fetches from Secrets Manager or Parameter Store
SECRETS = "aws:elasticbeanstalk:application:environmentsecrets"


def _one_of(*choices: str) -> Rule:
    return lambda value: None if value in choices else " or ".join(choices)


def _integer(low: int, high: int) -> Rule:
    def check(value: str) -> str | None:
        fits = re.fullmatch(r"-?\d+", value) and low <= int(value) <= high
        return None if fits else f"an integer from {low} to {high}"

    return check


def _number(low: float, high: float, *others: str) -> Rule:
    def check(value: str) -> str | None:
        fits = value in others or (re.fullmatch(r"\d+(\.\d+)?", value) and low <= float(value) <= high)
        return None if fits else " or ".join([f"a number from {low:g} to {high:g}", *others])

    return check


def _matching(pattern: str, description: str) -> Rule:
    return lambda value: None if re.fullmatch(pattern, value) else description


_BOOLEAN = _one_of("true", "false")
_TEXT = _matching(r"\S(.*\S)?", "text without leading or trailing spaces")
_RETENTION = _one_of(
    "1", "3", "5", "7", "14", "30", "60", "90", "120", "150", "180", "365", "400", "731", "1827", "3653"
)
_IDS = _matching(r"[a-z]+-[0-9a-f]{8,17}(,[a-z]+-[0-9a-f]{8,17})*", "ids separated by commas")
_INSTANCE_TYPES = _matching(
    r"[a-z]+\d+[a-z-]*\.[a-z0-9-]+(, ?[a-z]+\d+[a-z-]*\.[a-z0-9-]+){0,39}", "1 to 40 instance types"
)
_ARN = r"arn:aws[a-z-]*:"
_SECRET = _matching(
    # A JSON key after the ARN is possible for Secrets Manager alone.
    _ARN
    + r"(secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+-\w{6}(:[^:]+)?|ssm:[a-z0-9-]+:\d{12}:parameter/[\w./-]+)",
    "the ARN of a secret (Secrets Manager) or of a parameter (Parameter Store)",
)
_PERIOD = _matching(r"PT(\d+H)?(\d+M)?(\d+S)?(?<!PT)", "a duration such as PT1H")
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_.][A-Za-z0-9_.]*")

_LISTENER: Mapping[str, Rule] = {
    "ListenerEnabled": _BOOLEAN,
    "Protocol": _one_of("HTTP", "HTTPS"),
    "DefaultProcess": _TEXT,
    "SSLCertificateArns": _matching(_ARN + r"(acm|iam):[\w:/-]+", "the ARN of a certificate"),
    "SSLPolicy": _matching(r"ELBSecurityPolicy-[\w-]+", "the name of a predefined ELB security policy"),
}
#: the only rules of enhanced health that can be changed
_HEALTH_RULES = frozenset({("Application", "ApplicationRequests4xx"), ("ELB", "ELBRequests4xx")})


def _health_document(value: str) -> str | None:
    wanted = 'JSON with Version 1 and, for 4xx of the application and of the load balancer, {"Enabled": true or false}'
    try:
        document = json.loads(value)
        rules = document.get("Rules", {}).get("Environment", {})
        named = {(part, rule) for part, group in rules.items() for rule in group}
        switches = [switch for group in rules.values() for switch in group.values()]
    except (ValueError, AttributeError, TypeError):
        return wanted
    fits = (
        document.get("Version") == 1
        and set(document) <= {"Version", "Rules", "CloudWatchMetrics"}
        and named <= _HEALTH_RULES
        and all(set(switch) == {"Enabled"} and isinstance(switch["Enabled"], bool) for switch in switches)
    )
    return None if fits else wanted


ALLOWED: Mapping[str, Mapping[str, Rule]] = {
    "aws:ec2:instances": {
        "InstanceTypes": _INSTANCE_TYPES,
        "SupportedArchitectures": _one_of("x86_64", "arm64"),
        "EnableSpot": _BOOLEAN,
        "SpotFleetOnDemandBase": _integer(0, 10_000),
        "SpotFleetOnDemandAboveBasePercentage": _integer(0, 100),
        "SpotMaxPrice": _number(0.001, 20, "null"),
    },
    "aws:ec2:vpc": {
        "VPCId": _IDS,
        "Subnets": _IDS,
        "ELBSubnets": _IDS,
        "ELBScheme": _one_of("public", "internal"),
        "AssociatePublicIpAddress": _BOOLEAN,
    },
    "aws:autoscaling:launchconfiguration": {
        "RootVolumeType": _one_of("gp3", "gp2", "io1", "standard"),
        "RootVolumeSize": _integer(10, 16_384),
        "RootVolumeIOPS": _integer(3000, 16_000),
        "RootVolumeThroughput": _integer(125, 1000),
        "DisableIMDSv1": _BOOLEAN,
        "MonitoringInterval": _one_of("1 minute", "5 minute"),
        "IamInstanceProfile": _TEXT,
        "ImageId": _matching(r"ami-[0-9a-f]{8,17}", "the id of an image (AMI)"),
        "EC2KeyName": _TEXT,
        "SSHSourceRestriction": _matching(r"tcp, ?22, ?22, ?\S+", "tcp, 22, 22, and a range of addresses or a group"),
        "SecurityGroups": _IDS,
    },
    "aws:autoscaling:asg": {
        "MinSize": _integer(1, 10_000),
        "MaxSize": _integer(1, 10_000),
        "Cooldown": _integer(0, 10_000),
        "Availability Zones": _one_of("Any", "Any 1", "Any 2", "Any 3"),
        "EnableCapacityRebalancing": _BOOLEAN,
    },
    "aws:autoscaling:trigger": {
        "MeasureName": _one_of(
            "CPUUtilization",
            "NetworkIn",
            "NetworkOut",
            "Latency",
            "RequestCount",
            "TargetResponseTime",
            "HealthyHostCount",
            "UnhealthyHostCount",
        ),
        "Statistic": _one_of("Minimum", "Maximum", "Sum", "Average"),
        "Unit": _one_of("Seconds", "Percent", "Bytes", "Bits", "Count", "Bytes/Second", "Count/Second", "None"),
        "UpperThreshold": _integer(0, 20_000_000),
        "LowerThreshold": _integer(0, 20_000_000),
        "Period": _integer(1, 600),
        "EvaluationPeriods": _integer(1, 600),
        "BreachDuration": _integer(1, 600),
        "UpperBreachScaleIncrement": _integer(1, 100),
        "LowerBreachScaleIncrement": _integer(-100, -1),
    },
    "aws:autoscaling:updatepolicy:rollingupdate": {
        "RollingUpdateEnabled": _BOOLEAN,
        "RollingUpdateType": _one_of("Time", "Health", "Immutable"),
        "Timeout": _PERIOD,
        "PauseTime": _PERIOD,
        "MaxBatchSize": _integer(1, 10_000),
        "MinInstancesInService": _integer(0, 9999),
    },
    "aws:elasticbeanstalk:command": {
        "DeploymentPolicy": _one_of(
            "AllAtOnce", "Rolling", "RollingWithAdditionalBatch", "Immutable", "TrafficSplitting"
        ),
        "Timeout": _integer(1, 3600),
        "IgnoreHealthCheck": _BOOLEAN,
        "BatchSizeType": _one_of("Percentage", "Fixed"),
        "BatchSize": _integer(1, 10_000),
    },
    "aws:elasticbeanstalk:trafficsplitting": {
        "NewVersionPercent": _integer(1, 100),
        "EvaluationTime": _integer(3, 600),
    },
    "aws:elasticbeanstalk:environment": {
        "EnvironmentType": _one_of("LoadBalanced", "SingleInstance"),
        "LoadBalancerType": _one_of("application", "network", "classic"),
        "ServiceRole": _TEXT,
    },
    "aws:elasticbeanstalk:environment:process:default": {
        "HealthCheckPath": _matching(r"/\S*", "a path"),
        "MatcherHTTPCode": _matching(r"[2-4]\d\d([,-][2-4]\d\d)*", "HTTP status codes"),
        "HealthCheckInterval": _integer(5, 300),
        "HealthCheckTimeout": _integer(1, 60),
        "HealthyThresholdCount": _integer(2, 10),
        "UnhealthyThresholdCount": _integer(2, 10),
        "DeregistrationDelay": _integer(0, 3600),
        "Port": _integer(1, 65_535),
        "Protocol": _one_of("HTTP", "HTTPS"),
    },
    "aws:elasticbeanstalk:environment:proxy": {"ProxyServer": _one_of("nginx", "apache")},
    "aws:elasticbeanstalk:healthreporting:system": {
        "SystemType": _one_of("basic", "enhanced"),
        "HealthCheckSuccessThreshold": _one_of("Ok", "Warning", "Degraded", "Severe"),
        "ConfigDocument": _health_document,
    },
    "aws:elasticbeanstalk:cloudwatch:logs": {
        "StreamLogs": _BOOLEAN,
        "DeleteOnTerminate": _BOOLEAN,
        "RetentionInDays": _RETENTION,
    },
    "aws:elasticbeanstalk:cloudwatch:logs:health": {
        "HealthStreamingEnabled": _BOOLEAN,
        "DeleteOnTerminate": _BOOLEAN,
        "RetentionInDays": _RETENTION,
    },
    "aws:elasticbeanstalk:hostmanager": {"LogPublicationControl": _BOOLEAN},
    "aws:elasticbeanstalk:managedactions": {
        "ManagedActionsEnabled": _BOOLEAN,
        "PreferredStartTime": _matching(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun):([01]\d|2[0-3]):[0-5]\d", "day:hour:minute"),
    },
    "aws:elasticbeanstalk:managedactions:platformupdate": {
        "UpdateLevel": _one_of("patch", "minor"),
        "InstanceRefreshEnabled": _BOOLEAN,
    },
    "aws:elbv2:loadbalancer": {
        "IdleTimeout": _integer(1, 3600),
        "AccessLogsS3Enabled": _BOOLEAN,
        "AccessLogsS3Bucket": _matching(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "the name of a bucket"),
        "AccessLogsS3Prefix": _TEXT,
        "SecurityGroups": _IDS,
        "ManagedSecurityGroup": _IDS,
    },
    "aws:elbv2:listener:default": _LISTENER,
    "aws:elbv2:listener:443": _LISTENER,
}


def objection(namespace: str, option: str, value: object) -> str | None:
    """Why the platform would refuse or misread this setting, in one line; None if it is allowed."""
    where = f"{namespace}: {option}"
    if not isinstance(value, str):
        return f"{where} is not quoted, so YAML reads it as {type(value).__name__}"
    if namespace in (ENVIRONMENT, SECRETS):
        if not _ENVIRONMENT_NAME.fullmatch(option):
            return f"{where} is not a valid name of an environment property"
        wanted = _SECRET(value) if namespace == SECRETS else None
        # The value itself is left out: someone may have put the secret where its ARN belongs.
        return f"{where} is wrong; allowed: {wanted}" if wanted else None
    if namespace not in ALLOWED:
        return f"{namespace} is not a known namespace"
    if option not in ALLOWED[namespace]:
        return f"{where} is not a known option"
    wanted = ALLOWED[namespace][option](value)
    return f"{where} is '{value}'; allowed: {wanted}" if wanted else None


def contradictions(settings: Mapping[tuple[str, str], object]) -> list[str]:
    """One line for each pair of settings that are allowed alone but not together."""
    asg, trigger, found = "aws:autoscaling:asg", "aws:autoscaling:trigger", list[str]()

    def given(namespace: str, option: str, default: str) -> str:
        return str(settings.get((namespace, option), default))

    if int(given(asg, "MinSize", "1")) > int(given(asg, "MaxSize", "4")):
        found.append(f"{asg}: MinSize is larger than MaxSize")
    minutes = int(given(trigger, "Period", "5")) * int(given(trigger, "EvaluationPeriods", "1"))
    if int(given(trigger, "BreachDuration", "5")) != minutes:
        found.append(f"{trigger}: BreachDuration must be Period times EvaluationPeriods, {minutes}")
    policy = given("aws:elasticbeanstalk:command", "DeploymentPolicy", "AllAtOnce")
    update = given("aws:autoscaling:updatepolicy:rollingupdate", "RollingUpdateType", "Time")
    if (policy == "Immutable") != (update == "Immutable"):
        found.append("DeploymentPolicy and RollingUpdateType must both be Immutable, or neither")
    both = {name for space, name in settings if space == ENVIRONMENT} & {n for space, n in settings if space == SECRETS}
    found += [f"{name} is both an environment property and a secret" for name in sorted(both)]
    return found
