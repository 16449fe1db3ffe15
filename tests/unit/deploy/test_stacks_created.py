"""The stacks are created, updated and deleted in moto, and its services are asked what was made.

moto makes no resource of the types in ``NOT_IN_MOTO``. cfn-lint checks them; nothing shows that AWS accepts them.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.unit.deploy.stacks import FOLDER, ROOT, properties

NOT_IN_MOTO = {
    "AWS::CloudWatch::Alarm",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::ElastiCache::SubnetGroup",
    "AWS::ElasticBeanstalk::Application",
    "AWS::S3::BucketPolicy",
    "AWS::SecretsManager::Secret",
    "AWS::SNS::TopicPolicy",
}
REGION, ACCOUNT = "us-east-1", "123456789012"
BALANCING = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}"
ATTACHED = {
    "EnvironmentName": "skin-prod",
    "LoadBalancerArn": f"{BALANCING}:loadbalancer/app/awseb--AWSEB-x/50dc6c495c0c9188",
    "TargetGroupArn": f"{BALANCING}:targetgroup/awseb-AWSEB-y/60dc6c495c0c9188",
    "AutoScalingGroupName": "awseb-e-abcdefghij-stack-AWSEBAutoScalingGroup-1",
    "AlarmTopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:awseb-e-abcdefghij-stack-DermserveAlarmTopic-1",
    "EventLogGroup": "/aws/elasticbeanstalk/skin-prod/dermserve/awseb-e-abcdefghij-stack/events.log",
}


class Account:
    """An empty account in moto."""

    def client(self, service: str) -> Any:
        return boto3.client(service, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")

    def deploy(self, name: str, stack: str = "", **parameters: str) -> dict[str, str]:
        """Create or update a stack, and return its outputs."""
        stack = stack or f"dermserve-{name}"
        formation = self.client("cloudformation")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            present = {described["StackName"] for described in formation.describe_stacks()["Stacks"]}
            action = formation.update_stack if stack in present else formation.create_stack
            action(
                StackName=stack,
                TemplateBody=(FOLDER / f"{name}.yaml").read_text(encoding="utf-8"),
                Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
                Capabilities=["CAPABILITY_NAMED_IAM"],
            )
            (described,) = formation.describe_stacks(StackName=stack)["Stacks"]
        missing = {str(w.message).split()[3] for w in caught if "not supported by moto" in str(w.message)}
        assert missing <= NOT_IN_MOTO
        assert described["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
        return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}

    def delete(self, stack: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            self.client("cloudformation").delete_stack(StackName=stack)

    def network(self) -> dict[str, str]:
        ec2 = self.client("ec2")
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]
        return {"VpcId": vpc, "SubnetIds": ",".join(subnets[:2])}


@pytest.fixture
def account() -> Iterator[Account]:
    with mock_aws():
        yield Account()


def test_the_foundation_makes_roles_and_an_encrypted_bucket(account: Account) -> None:
    """moto's stacks ignore versioning and the block of public access: test_stacks.py reads them in the template."""
    outputs = account.deploy("foundation")
    bucket, s3, iam = outputs["ArtifactBucket"], account.client("s3"), account.client("iam")
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    profile = iam.get_instance_profile(InstanceProfileName=outputs["InstanceProfile"])["InstanceProfile"]
    assert [role["RoleName"] for role in profile["Roles"]] == ["aws-elasticbeanstalk-ec2-role"]


@mock_aws(config={"iam": {"load_aws_managed_policies": True}})
def test_the_managed_policies_of_the_service_role_exist() -> None:
    """moto's stacks attach no managed policies, so the policies are asked for by their names."""
    iam = Account().client("iam")
    for policy in properties("foundation", "ServiceRole")["ManagedPolicyArns"]:
        arn = policy["Fn::Sub"].replace("${AWS::Partition}", "aws")
        assert iam.get_policy(PolicyArn=arn)["Policy"]["Arn"] == arn


def test_the_policy_of_the_instances_names_this_accounts_bucket_and_secrets(account: Account) -> None:
    outputs = account.deploy("foundation", SecretPrefix="skin/")
    role = account.client("iam").get_role_policy(RoleName=outputs["InstanceProfile"], PolicyName="Instance")
    document = role["PolicyDocument"]
    # moto returns a policy that came with a stack as the text of a Python dictionary.
    document = ast.literal_eval(document) if isinstance(document, str) else document
    allowed = {statement["Sid"]: statement["Resource"] for statement in document["Statement"] if statement}
    bucket = f"arn:aws:s3:::{outputs['ArtifactBucket']}"
    assert allowed["ReadArtifacts"] == [bucket, f"{bucket}/*"]
    assert allowed["ReadSecrets"] == f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:skin/*"
    assert allowed["ReadParameters"] == f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/skin/*"
    assert "Decrypt" not in allowed


def test_an_update_adds_the_key_and_keeps_the_bucket(account: Account) -> None:
    before = account.deploy("foundation")
    after = account.deploy("foundation", CustomerKey="true")
    assert after["ArtifactBucket"] == before["ArtifactBucket"]
    assert account.client("kms").get_key_rotation_status(KeyId=after["KeyArn"])["KeyRotationEnabled"] is True


def test_deleting_the_foundation_removes_roles_and_keeps_artifacts(account: Account) -> None:
    outputs = account.deploy("foundation")
    account.client("s3").put_object(Bucket=outputs["ArtifactBucket"], Key="bundles/one", Body=b"x")
    account.delete("dermserve-foundation")
    assert account.client("iam").list_instance_profiles()["InstanceProfiles"] == []
    assert account.client("iam").list_roles()["Roles"] == []
    assert [bucket["Name"] for bucket in account.client("s3").list_buckets()["Buckets"]] == [outputs["ArtifactBucket"]]


def test_two_foundations_do_not_collide(account: Account) -> None:
    first = account.deploy("foundation")
    names = {"InstanceProfileName": "skin-ec2", "ServiceRoleName": "skin-service"}
    second = account.deploy("foundation", "other-foundation", **names)
    assert first["ArtifactBucket"] != second["ArtifactBucket"]
    assert second["InstanceProfile"] == "skin-ec2"


def test_the_network_has_the_free_endpoint_alone_until_the_others_are_asked_for(account: Account) -> None:
    ec2 = account.client("ec2")
    given = {
        **account.network(),
        "RouteTableIds": ec2.describe_route_tables()["RouteTables"][0]["RouteTableId"],
        "InstanceCidr": "172.31.0.0/16",
    }
    account.deploy("network", **given)
    assert [e["VpcEndpointType"] for e in ec2.describe_vpc_endpoints()["VpcEndpoints"]] == ["Gateway"]
    account.delete("dermserve-network")  # moto's update makes no resource whose condition becomes true
    account.deploy("network", **given, InterfaceEndpoints="true")
    services = {e["ServiceName"].rpartition(".")[2] for e in ec2.describe_vpc_endpoints()["VpcEndpoints"]}
    platform = {"s3", "elasticbeanstalk", "elasticbeanstalk-health", "cloudformation"}
    assert services == platform | {"logs", "monitoring", "secretsmanager", "ssm"}


def test_only_members_of_the_client_group_reach_the_limits_server_which_moto_does_not_make(account: Account) -> None:
    account.deploy("foundation")
    outputs = account.deploy("limits", **account.network())
    groups = account.client("ec2").describe_security_groups()["SecurityGroups"]
    (server,) = [group for group in groups if group["Description"] == "Valkey"]
    (permission,) = server["IpPermissions"]
    assert permission["FromPort"] == permission["ToPort"] == 6379
    assert [pair["GroupId"] for pair in permission["UserIdGroupPairs"]] == [outputs["ClientSecurityGroup"]]
    assert permission["IpRanges"] == []


def dashboard(account: Account) -> list[dict[str, Any]]:
    outputs = account.deploy("attachments", **ATTACHED)
    body = account.client("cloudwatch").get_dashboard(DashboardName=outputs["Dashboard"])["DashboardBody"]
    widgets = json.loads(body)["widgets"]
    assert isinstance(widgets, list)
    return widgets


def metrics(widgets: list[dict[str, Any]]) -> set[tuple[str, ...]]:
    """(namespace, name, dimension, value, …) of each line, with the short forms of CloudWatch written out."""
    found: set[tuple[str, ...]] = set()
    for widget in widgets:
        previous: list[str] = []
        for line in widget["properties"].get("metrics", []):
            given = [part for part in line if isinstance(part, str)]
            if given[0] == "...":
                given = [*previous[: len(previous) - len(given) + 1], *given[1:]]
            previous = [previous[i] if part == "." else part for i, part in enumerate(given)]
            found.add(tuple(previous))
    return found


def test_the_dashboard_names_this_environments_resources(account: Account) -> None:
    lines = metrics(dashboard(account))
    balancer, group = "app/awseb--AWSEB-x/50dc6c495c0c9188", ATTACHED["AutoScalingGroupName"]
    assert ("AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", balancer) in lines
    assert ("AWS/EC2", "CPUUtilization", "AutoScalingGroupName", group) in lines
    assert ("DermServe/Instances", "mem_used_percent", "EnvironmentName", "skin-prod") in lines
    assert ("DermServe/skin-prod", "ShedRequests") in lines
    hosts = ("TargetGroup", "targetgroup/awseb-AWSEB-y/60dc6c495c0c9188", "LoadBalancer", balancer)
    assert ("AWS/ApplicationELB", "UnHealthyHostCount", *hosts) in lines


def test_the_dashboard_asks_the_log_for_stages_and_fields_that_the_application_writes(account: Account) -> None:
    queries = [widget["properties"]["query"] for widget in dashboard(account) if widget["type"] == "log"]
    assert len(queries) == 4
    assert all(query.startswith(f"SOURCE '{ATTACHED['EventLogGroup']}' | ") for query in queries)
    stages = set(re.findall(r"timings_ms\.(\w+)", " ".join(queries)))
    sources = [ROOT / "web/routes.py", ROOT / "ml/analysis/pipeline.py"]
    written = set(re.findall(r'(?:lap|stage)\("(\w+)"\)', " ".join(path.read_text() for path in sources)))
    assert {"queue", "decode", "encode", "classify", "search"} <= stages <= written


def test_the_dashboard_has_no_metric_beyond_the_free_fifty_and_no_widget_over_another(account: Account) -> None:
    widgets = dashboard(account)
    assert sum(len(widget["properties"].get("metrics", [])) for widget in widgets) <= 50
    cells = [
        (x, y) for w in widgets for x in range(w["x"], w["x"] + w["width"]) for y in range(w["y"], w["y"] + w["height"])
    ]
    assert len(cells) == len(set(cells))
    assert all(x < 24 for x, _ in cells)


def test_deleting_the_attachments_removes_the_dashboard(account: Account) -> None:
    account.deploy("attachments", **ATTACHED)
    account.delete("dermserve-attachments")
    assert account.client("cloudwatch").list_dashboards()["DashboardEntries"] == []
