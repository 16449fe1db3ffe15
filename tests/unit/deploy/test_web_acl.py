"""The web ACL of edge.yaml: photos pass, what is too large or too much is refused in the service's own form."""

from __future__ import annotations

import json
import re
from typing import Any

import boto3
import pytest
from moto import mock_aws

from settings import Settings
from tests.unit.deploy.stacks import ROOT, properties

#: The rules of the managed groups that search bodies (developer guide, "Baseline rule groups"). Bodies are photos.
BODY_RULES = {
    "AWSManagedRulesCommonRuleSet": {
        "SizeRestrictions_BODY",
        "CrossSiteScripting_BODY",
        "GenericLFI_BODY",
        "GenericRFI_BODY",
        "EC2MetaDataSSRF_BODY",
    },
    "AWSManagedRulesKnownBadInputsRuleSet": {"JavaDeserializationRCE_BODY", "Log4JRCE_BODY", "ReactJSRCE_BODY"},
}
ACL = properties("edge", "Acl")
RULES: dict[str, Any] = {rule["Name"]: rule for rule in ACL["Rules"]}


def managed() -> dict[str, dict[str, Any]]:
    found = [rule["Statement"].get("ManagedRuleGroupStatement") for rule in RULES.values()]
    return {group["Name"]: group for group in found if group}


def too_large(content_length: int) -> bool:
    pattern = RULES["LargerThan100MB"]["Statement"]["RegexMatchStatement"]["RegexString"]
    return bool(re.search(pattern, str(content_length)))


def test_rules_that_search_bodies_count_and_all_others_block() -> None:
    groups = managed()
    assert set(groups) == {*BODY_RULES, "AWSManagedRulesAmazonIpReputationList"}
    for name, body_rules in BODY_RULES.items():
        overrides = {rule["Name"]: rule["ActionToUse"] for rule in groups[name]["RuleActionOverrides"]}
        assert overrides == {rule: {"Count": {}} for rule in body_rules}
    assert all(rule["OverrideAction"] == {"None": {}} for rule in RULES.values() if "OverrideAction" in rule)


@pytest.mark.parametrize("length", [0, 8_193, 5_000_000, 99_999_999, 100_000_000, 104_857_600, 109_999_999])
def test_a_body_up_to_the_limit_passes(length: int) -> None:
    assert not too_large(length)


@pytest.mark.parametrize("length", [110_000_000, 199_999_999, 200_000_000, 1_000_000_000, 10**12])
def test_a_body_far_above_the_limit_is_refused(length: int) -> None:
    assert too_large(length)


def test_the_limit_lies_above_those_of_nginx_and_the_application() -> None:
    nginx = (ROOT / ".platform/nginx/conf.d/dermserve.conf").read_text()
    limit = re.search(r"client_max_body_size (\d+)m;", nginx)
    assert limit
    assert int(limit[1]) == Settings.model_fields["max_upload_mb"].default == 100
    assert not too_large(int(limit[1]) * 2**20)


def test_large_bodies_pass_on_the_routes_that_take_photos_only() -> None:
    """The label is what the counting SizeRestrictions_BODY leaves on a request."""
    label, elsewhere = RULES["LargeBodyElsewhere"]["Statement"]["AndStatement"]["Statements"]
    assert label["LabelMatchStatement"]["Key"] == "awswaf:managed:aws:core-rule-set:SizeRestrictions_Body"
    assert RULES["CommonRules"]["Priority"] < RULES["LargeBodyElsewhere"]["Priority"]
    path = elsewhere["NotStatement"]["Statement"]["ByteMatchStatement"]
    assert (path["SearchString"], path["PositionalConstraint"]) == ("/api/", "STARTS_WITH")


def test_refusals_have_the_services_form_and_codes() -> None:
    codes = (ROOT / "docs/errors.md").read_text()
    for name, status in {"RatePerAddress": 429, "LargerThan100MB": 413, "LargeBodyElsewhere": 413}.items():
        response = RULES[name]["Action"]["Block"]["CustomResponse"]
        assert response["ResponseCode"] == status
        body = json.loads(ACL["CustomResponseBodies"][response["CustomResponseBodyKey"]]["Content"])
        assert body["success"] is False
        assert set(body["error"]) == {"code", "message", "details"}
        assert f"| {status} | `{body['error']['code']}` |" in codes
    (header,) = RULES["RatePerAddress"]["Action"]["Block"]["CustomResponse"]["ResponseHeaders"]
    assert header == {"Name": "Retry-After", "Value": "300"}


def test_keys_stay_out_of_the_log() -> None:
    redacted = {field["SingleHeader"]["Name"] for field in properties("edge", "AclLogging")["RedactedFields"]}
    assert {"authorization", "x-api-key"} <= redacted


@mock_aws
def test_the_services_model_accepts_the_rules() -> None:
    """moto has no such resource for stacks, so the rules go to its WAF directly; botocore checks each field's form."""
    rules = json.loads(json.dumps(ACL["Rules"]).replace('{"Ref": "RequestsPer5Minutes"}', "2000"))
    for rule in rules:
        for statement in rule["Statement"].get("AndStatement", {}).get("Statements", []):
            if match := statement.get("NotStatement", {}).get("Statement", {}).get("ByteMatchStatement"):
                match["SearchString"] = match["SearchString"].encode()
    waf = boto3.client("wafv2", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    names = ("Scope", "DefaultAction", "VisibilityConfig", "CustomResponseBodies", "Description")
    given = {name: ACL[name] for name in names}
    made = waf.create_web_acl(Name="dermserve", Rules=rules, **given)["Summary"]
    stored = waf.get_web_acl(Name="dermserve", Scope="REGIONAL", Id=made["Id"])["WebACL"]
    assert [rule["Name"] for rule in stored["Rules"]] == list(RULES)
