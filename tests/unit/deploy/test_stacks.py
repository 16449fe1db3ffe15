"""The CloudFormation stacks: valid, least privilege, nothing that costs money by default, nothing told twice."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from cfnlint.api import lint_file

from deploy.allowlist import SECRETS, objection
from deploy.ebextensions import all_settings, config_files, load, option_settings, resources
from settings import Settings
from tests.unit.deploy.stacks import FOLDER, NAMES, ROOT, as_list, of_type, properties, template

#: An option of environment.yaml outranks .ebextensions. Only this one may stand in both: its name is the foundation's.
SHARED = {("aws:elasticbeanstalk:environment", "ServiceRole")}
#: all options of environment.yaml at once
GIVEN = {
    "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d-0000-1111-2222-333344445555",
    "VpcId": "vpc-0123456789abcdef0",
    "InstanceSubnets": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "BalancerSubnets": "subnet-0123456789abcdef2,subnet-0123456789abcdef3",
    "ExtraSecurityGroup": "sg-0123456789abcdef0",
    "ImageId": "ami-0123456789abcdef0",
    "Bundle": "s3://dermserve-artifacts/bundles/dermserve-0f3a",
    "ApiKeysSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:dermserve/keys-AbCdEf",
    "RateLimitStorageSecretArn": "arn:aws:ssm:us-east-1:123456789012:parameter/dermserve/limits",
}


def nodes(value: Any) -> Iterator[Any]:
    yield value
    for below in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from nodes(below)


def environment_options() -> list[dict[str, Any]]:
    """Each option of environment.yaml, without the condition that includes it."""
    listed = properties("environment", "Environment")["OptionSettings"]
    return [entry["Fn::If"][1] if "Fn::If" in entry else entry for entry in listed]


def statements(role: str) -> list[dict[str, Any]]:
    (policy,) = properties("foundation", role)["Policies"]
    listed = policy["PolicyDocument"]["Statement"]
    return [entry["Fn::If"][1] if "Fn::If" in entry else entry for entry in listed]


def test_these_stacks_exist() -> None:
    assert NAMES == ["attachments", "edge", "environment", "foundation", "limits", "network"]


@pytest.mark.parametrize("name", NAMES)
def test_cfn_lint_has_no_warning(name: str) -> None:
    assert [str(match) for match in lint_file(FOLDER / f"{name}.yaml")] == []


@pytest.mark.parametrize("name", NAMES)
def test_checkov_has_no_finding_that_is_not_explained_in_the_template(name: str) -> None:
    checkov = shutil.which("checkov")
    if not checkov:
        pytest.skip("checkov is not installed: `uv tool install checkov`")
    command = [checkov, "--quiet", "--compact", "--skip-download", "--framework", "cloudformation", "--file"]
    found = subprocess.run([*command, FOLDER / f"{name}.yaml"], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("name", NAMES)
def test_each_suppressed_rule_has_a_reason(name: str) -> None:
    for resource in template(name)["Resources"].values():
        for rule in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            assert len(rule["comment"]) > 30, rule


@pytest.mark.parametrize("name", NAMES)
def test_each_parameter_is_described_and_limited(name: str) -> None:
    for key, parameter in template(name)["Parameters"].items():
        assert parameter["Description"], key
        limited = {"AllowedPattern", "AllowedValues", "MinValue"} & set(parameter)
        assert limited or parameter["Type"].startswith(("AWS::", "List<AWS::")), key


@pytest.mark.parametrize("name", ["DERMSERVE_API_KEYS", "DERMSERVE_RATE_LIMIT_STORAGE"])
def test_the_example_of_secrets_fits_the_parameters(name: str) -> None:
    example = load(ROOT / ".ebextensions/94-secrets.config.example")["option_settings"][SECRETS][name]
    parameter = {"DERMSERVE_API_KEYS": "ApiKeys", "DERMSERVE_RATE_LIMIT_STORAGE": "RateLimitStorage"}[name]
    pattern = template("environment")["Parameters"][f"{parameter}SecretArn"]["AllowedPattern"]
    assert re.fullmatch(pattern, example)
    # The instances of the foundation may read it.
    assert template("foundation")["Parameters"]["SecretPrefix"]["Default"] in example


@pytest.mark.parametrize(
    ("name", "parameter", "value", "accepted"),
    [
        ("environment", "VersionKey", "versions/dermserve-0a1b2c.zip", True),
        ("environment", "VersionKey", "versions/dermserve.tar", False),
        ("environment", "EnvironmentName", "dermserve-prod", True),
        ("environment", "EnvironmentName", "a", False),
        ("environment", "Bundle", "https://example.org/x", False),
        ("environment", "ApiKeysSecretArn", "the-key-itself-by-mistake", False),
        ("edge", "DomainName", "skin.example.org", True),
        ("edge", "DomainName", "https://skin.example.org", False),
        ("foundation", "NotificationEmail", "", True),
        ("foundation", "NotificationEmail", "somebody", False),
        (
            "environment",
            "PlatformArn",
            "arn:aws:elasticbeanstalk:us-east-1::platform/Python 3.11 running on 64bit Amazon Linux 2023/4.7.2",
            True,
        ),
        (
            "environment",
            "PlatformArn",
            "arn:aws:elasticbeanstalk:us-east-1::platform/Python 3.14 running on 64bit Amazon Linux 2023/4.7.2",
            False,
        ),
    ],
)
def test_patterns_accept_what_is_right_and_refuse_slips(name: str, parameter: str, value: str, accepted: bool) -> None:
    pattern = template(name)["Parameters"][parameter]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, value)) is accepted


def holds_by_default(name: str, condition: dict[str, Any]) -> bool:
    if "Fn::Not" in condition:
        return not holds_by_default(name, condition["Fn::Not"][0])
    parameter, value = condition["Fn::Equals"]
    return bool(template(name)["Parameters"][parameter["Ref"]]["Default"] == value)


def test_without_options_nothing_is_made_that_costs_by_the_hour_or_month() -> None:
    names = ("edge", "foundation", "network")
    assert not any(holds_by_default(name, made) for name in names for made in template(name)["Conditions"].values())
    always = [made for name in names for made in template(name)["Resources"].values() if "Condition" not in made]
    assert {made["Type"] for made in always} == {
        "AWS::EC2::VPCEndpoint",
        "AWS::ElasticBeanstalk::Application",
        "AWS::IAM::InstanceProfile",
        "AWS::IAM::Role",
        "AWS::S3::Bucket",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Topic",
        "AWS::SNS::TopicPolicy",
    }
    endpoints = [made["Properties"] for made in always if made["Type"] == "AWS::EC2::VPCEndpoint"]
    assert [endpoint["VpcEndpointType"] for endpoint in endpoints] == ["Gateway"]


def test_the_foundation_makes_the_names_that_the_configuration_files_use() -> None:
    parameters = template("foundation")["Parameters"]
    settings = all_settings(ROOT)
    assert parameters["ServiceRoleName"]["Default"] == settings["aws:elasticbeanstalk:environment", "ServiceRole"]
    saved = [load(path)["OptionSettings"] for path in (ROOT / ".elasticbeanstalk").glob("*.cfg.yml")]
    profiles = {options["aws:autoscaling:launchconfiguration"]["IamInstanceProfile"] for options in saved}
    assert {parameters["InstanceProfileName"]["Default"]} == profiles


def test_the_environment_repeats_no_option_of_the_configuration_files() -> None:
    options = [(option["Namespace"], option["OptionName"]) for option in environment_options()]
    assert len(options) == len(set(options))
    assert set(options) & set(all_settings(ROOT)) == SHARED


def test_without_parameters_the_environment_sets_the_two_roles_alone() -> None:
    listed = properties("environment", "Environment")["OptionSettings"]
    always = {option["OptionName"] for option in listed if "Fn::If" not in option}
    assert always == {"IamInstanceProfile", "ServiceRole"}
    conditions = template("environment")["Conditions"].values()
    assert not any(holds_by_default("environment", condition) for condition in conditions)


def filled(value: Any) -> str:
    """An option's value, with the parameters in ``GIVEN``."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        separator, parameter = value["Fn::Join"]
        return str(separator).join(GIVEN[parameter["Ref"]].split(","))
    return GIVEN[value["Ref"]] if "Ref" in value else "a-role"


def test_the_platform_allows_every_option_of_the_environment() -> None:
    parameters = template("environment")["Parameters"]
    for parameter, value in GIVEN.items():
        assert all(re.fullmatch(parameters[parameter]["AllowedPattern"], part) for part in value.split(",")), parameter
    settings = [(o["Namespace"], o["OptionName"], filled(o["Value"])) for o in environment_options()]
    assert [line for setting in settings if (line := objection(*setting))] == []


def test_https_is_as_in_the_example_file() -> None:
    example = {
        (namespace, name): value
        for namespace, name, value in option_settings(load(ROOT / ".ebextensions/92-https.config.example"))
    }
    ours = {(option["Namespace"], option["OptionName"]): option["Value"] for option in environment_options()}
    for option in ("ListenerEnabled", "Protocol", "SSLPolicy"):
        assert ours["aws:elbv2:listener:443", option] == example["aws:elbv2:listener:443", option]
    assert ours["aws:elbv2:listener:default", "ListenerEnabled"] == "false"


def test_secrets_are_passed_by_address_only_and_known_to_the_application() -> None:
    secrets = [option for option in environment_options() if option["Namespace"] == SECRETS]
    assert {option["OptionName"] for option in secrets} == {"DERMSERVE_API_KEYS", "DERMSERVE_RATE_LIMIT_STORAGE"}
    for option in secrets:
        assert option["OptionName"] in Settings.environment_names()
        assert option["Value"]["Ref"].endswith("SecretArn")


def test_an_earlier_version_stays_for_a_roll_back() -> None:
    version = template("environment")["Resources"]["Version"]
    assert (version["DeletionPolicy"], version["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_alarms_of_the_environment_stand_in_the_configuration_files_alone() -> None:
    """So that both ways of making an environment bring the same alarms. Decision 0046."""
    kind = "AWS::CloudWatch::Alarm"
    assert not of_type("environment", kind)
    assert not of_type("attachments", kind)
    assert len([r for r in resources(config_files(ROOT)).values() if r["Type"] == kind]) >= 9


def test_log_groups_expire_and_cannot_collide_with_those_of_an_environment() -> None:
    groups = {key: group for name in NAMES for key, group in of_type(name, "AWS::Logs::LogGroup").items()}
    assert set(groups) == {"AclLog"}
    for group in groups.values():
        assert group["RetentionInDays"]
        name = group["LogGroupName"]["Fn::Sub"]
        assert not name.startswith("/aws/elasticbeanstalk")
        assert "${AWS::StackName}" in name


def test_an_instance_may_do_no_more_than_it_needs() -> None:
    allowed = {statement["Sid"]: statement for statement in statements("InstanceRole")}
    for sid, statement in allowed.items():
        assert not [action for action in as_list(statement["Action"]) if "*" in action], sid
    anywhere = {sid for sid, statement in allowed.items() if statement["Resource"] == "*"}
    assert anywhere == {"ListLogGroups", "WriteMetrics"}
    assert allowed["WriteMetrics"]["Condition"] == {"StringLike": {"cloudwatch:namespace": "DermServe/*"}}
    writes = {
        action for s in allowed.values() for action in as_list(s["Action"]) if re.search(r":(Put|Create)", action)
    }
    assert writes == {
        "s3:PutObject",  # rotated logs, into the platform's own bucket
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "cloudwatch:PutMetricData",
        "elasticbeanstalk:PutInstanceStatistics",
    }
    assert allowed["PublishLogFiles"]["Resource"]["Fn::Sub"].endswith("/resources/environments/logs/*")
    assert "ManagedPolicyArns" not in properties("foundation", "InstanceRole")


def test_an_instance_may_write_the_metrics_and_logs_that_the_agent_sends() -> None:
    agent = load(ROOT / ".ebextensions/80-agent.config")["files"]["/opt/dermserve/cloudwatch-agent.json"]["content"]
    namespaces = re.findall(r'"(?:metric_)?namespace": "([^"]+)"', agent)
    groups = re.findall(r'"log_group_name": "([^"]+)', agent)
    assert namespaces
    assert groups
    assert all(namespace.startswith("DermServe/") for namespace in namespaces)
    assert all(group.startswith("/aws/elasticbeanstalk/") for group in groups)


def test_the_bucket_is_private_encrypted_versioned_and_survives_the_stack() -> None:
    bucket = template("foundation")["Resources"]["ArtifactBucket"]
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    # A retained bucket with a fixed name would make the next foundation fail.
    assert "BucketName" not in bucket["Properties"]
    # Environments name current objects by their addresses, so only old versions of an object expire.
    (rule,) = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    assert not {"ExpirationInDays", "ExpirationDate"} & set(rule)


def test_the_key_rotates_and_is_kept() -> None:
    key = template("foundation")["Resources"]["Key"]
    assert key["Properties"]["EnableKeyRotation"] is True
    assert key["DeletionPolicy"] == "Retain"


def test_the_server_of_the_limits_is_encrypted_and_asks_for_a_password() -> None:
    server = properties("limits", "Server")
    assert (server["TransitEncryptionEnabled"], server["AtRestEncryptionEnabled"]) == (True, True)
    assert "{{resolve:secretsmanager:${Token}" in server["AuthToken"]["Fn::Sub"]
    (ingress,) = properties("limits", "ServerSecurityGroup")["SecurityGroupIngress"]
    assert ingress["SourceSecurityGroupId"] == {"Ref": "ClientSecurityGroup"}


def test_the_application_accepts_the_address_in_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    address = properties("limits", "StorageSecret")["SecretString"]["Fn::Sub"]
    for name in Settings.environment_names():
        monkeypatch.delenv(name, raising=False)
    filled = re.sub(r"\{\{resolve:[^}]+\}[^}]*\}\}", "T0ken", address)
    filled = filled.replace("${Server.PrimaryEndPoint.Address}", "master.x.cache.amazonaws.com")
    filled = filled.replace("${Server.PrimaryEndPoint.Port}", "6379")
    monkeypatch.setenv("DERMSERVE_RATE_LIMIT_STORAGE", filled)
    storage = Settings.load().rate_limit_storage
    assert storage is not None
    assert storage.get_secret_value() == "rediss://:T0ken@master.x.cache.amazonaws.com:6379/0"


def test_instances_may_read_the_secret_of_the_limits_but_not_the_bare_password() -> None:
    named = properties("limits", "StorageSecret")["Name"]["Fn::Sub"]
    assert named[0].startswith("${Prefix}")
    assert named[1]["Prefix"] == {"Fn::ImportValue": {"Fn::Sub": "${FoundationStack}-SecretPrefix"}}
    assert "Name" not in properties("limits", "Token")


@pytest.mark.parametrize("name", NAMES)
def test_imports_are_exported_by_the_foundation(name: str) -> None:
    exported = {
        output["Export"]["Name"]["Fn::Sub"].split("-", 1)[1]
        for output in template("foundation")["Outputs"].values()
        if "Export" in output
    }
    imported = {
        node["Fn::ImportValue"]["Fn::Sub"].split("-", 1)[1]
        for node in nodes(template(name))
        if isinstance(node, dict) and "Fn::ImportValue" in node
    }
    assert imported <= exported


def test_the_page_names_each_template_and_only_parameters_that_exist() -> None:
    page = (ROOT / "docs/deployment/stacks.md").read_text(encoding="utf-8")
    deployed = set()
    for name, given in re.findall(r"--template-file deploy/cloudformation/(\w+)\.yaml((?:.*\\\n)*.*)", page):
        deployed.add(name)
        overrides = given.split("--parameter-overrides", 1)[1]
        assert set(re.findall(r"(\w+)=", overrides)) <= set(template(name)["Parameters"]), name
    assert deployed == set(NAMES)
