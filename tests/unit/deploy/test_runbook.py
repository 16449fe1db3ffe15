"""The runbook: each alarm has its section, each command says how it was tried, and the commands exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from botocore.model import OperationModel

from deploy.ebextensions import config_files, resources
from deploy.rehearsal.plays import PLAYS

ROOT = Path(__file__).resolve().parents[3]
RUNBOOK = ROOT / "docs/operations.md"
DEPLOYMENT = ROOT / "docs/deployment"
#: the pages that say for each command how it was tried
PAGES = [RUNBOOK, *(DEPLOYMENT / f"{n}.md" for n in ("github-actions", "models-and-indexes", "rehearsal", "sizing"))]
ALARMS = sorted(name for name, one in resources(config_files(ROOT)).items() if one["Type"] == "AWS::CloudWatch::Alarm")
#: commands of the AWS CLI that are not one operation of a service
_OF_THE_CLI = {"s3 sync", "s3 cp", "s3 rm", "logs tail", "cloudformation deploy"}
#: options of the AWS CLI itself
_GLOBAL = {"--query", "--output", "--max-items", "--region"}
#: options that the AWS CLI calls otherwise than the service does
_RENAMED = {"--notification-endpoint"}
_COMMENT = re.compile(r"# (tried|rehearsed|not tried on AWS)\b")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(text: str) -> list[str]:
    return [
        re.sub(r"^ +", "", block, flags=re.MULTILINE) for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    ]


def section(heading: str) -> str:
    found = re.search(rf"^### {heading}\n(.*?)(?=^##|\Z)", text_of(RUNBOOK), re.MULTILINE | re.DOTALL)
    assert found, f"docs/operations.md has no section '{heading}'"
    return found[1]


def commands(block: str) -> list[str]:
    joined = block.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def aws_commands() -> Iterator[list[str]]:
    """The words of each command of the AWS CLI, without the values of options."""
    for page in PAGES:
        for block in blocks(text_of(page)):
            text = re.sub(r"\$\(date [^)]*\)", "", block.replace("\\\n", " "))
            for found in re.findall(r"\baws [a-z0-9-]+ [a-z0-9-]+[^\n]*", text):
                yield re.findall(r"(?<!\S)[\w-]+", re.split(r"[;|]", found)[0])


@pytest.mark.parametrize("alarm", ALARMS)
def test_each_alarm_has_a_severity_and_three_commands(alarm: str) -> None:
    text = section(f"Alarm {alarm}")
    assert re.match(r"\n\*\*Severity [123]\.\*\* \S", text)
    assert len(commands(blocks(text)[0])) == 3
    assert f"alarm-{alarm.lower()}" in anchors(text_of(RUNBOOK))


@pytest.mark.parametrize("alarm", ALARMS)
def test_the_severity_is_that_of_the_alarm(alarm: str) -> None:
    description = resources(config_files(ROOT))[alarm]["Properties"]["AlarmDescription"]
    stated = re.match(r"Severity ([123])\.", description)
    if stated is None:
        pytest.skip("the alarm's description states no severity")
    assert f"**Severity {stated[1]}.**" in section(f"Alarm {alarm}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_block_of_commands_says_how_it_was_tried(page: Path) -> None:
    unmarked = [block for block in blocks(text_of(page)) if not _COMMENT.match(block)]
    assert unmarked == []


def test_rehearsed_commands_name_a_play() -> None:
    plays = {play.name for play in PLAYS}
    named = {
        named
        for page in [*PAGES, *DEPLOYMENT.glob("*.md")]
        for block in blocks(text_of(page))
        for named in re.findall(r"^# rehearsed: ([^;\n]+)", block)
    }
    assert named - plays <= {"every rehearsal begins with this command", "every rehearsal begins with these commands"}
    assert len(named & plays) >= 3


def test_what_a_block_names_as_its_test_exists() -> None:
    named = {
        path for page in PAGES for block in blocks(text_of(page)) for path in re.findall(r"tests/[\w/]+\.py", block)
    }
    assert named
    assert [path for path in sorted(named) if not (ROOT / path).is_file()] == []


def test_commands_of_the_aws_cli_exist() -> None:
    session = botocore.session.get_session()
    checked = 0
    for _, service, command, *rest in aws_commands():
        if f"{service} {command}" in _OF_THE_CLI:
            continue
        operation = _operation(session, service, command)
        members = operation.input_shape.members if operation.input_shape else {}
        known = {_option(name) for name in members} | _GLOBAL | _RENAMED
        known |= {option.replace("--", "--no-", 1) for option in known}
        assert [word for word in rest if word.startswith("--") and word not in known] == [], f"{service} {command}"
        checked += 1
    assert checked > 20


def test_links_between_the_pages_lead_to_a_heading() -> None:
    for page in [RUNBOOK, *DEPLOYMENT.glob("*.md")]:
        for target, anchor in re.findall(r"\]\(([\w./-]*)#([\w-]+)\)", text_of(page)):
            linked = (page.parent / target) if target else page
            assert anchor in anchors(text_of(linked)), f"{page.name}: {target}#{anchor}"


def test_shell_blocks_are_complete() -> None:
    for page in PAGES:
        for block in blocks(text_of(page)):
            assert shlex.split(block, comments=True), block


def _operation(session: botocore.session.Session, service: str, command: str) -> OperationModel:
    model = session.get_service_model(service)
    wanted = command.replace("-", "")
    (name,) = [name for name in model.operation_names if name.lower() == wanted]
    return model.operation_model(name)


def _option(member: str) -> str:
    """``EnvironmentName`` and ``logGroupName`` as the AWS CLI writes them."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1-\2", member))
    return f"--{words.lower()}"
