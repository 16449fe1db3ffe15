"""The option settings of requests and saved configurations, which outrank .ebextensions."""

from __future__ import annotations

import re
from collections.abc import Mapping

import yaml

from deploy.allowlist import objection

#: {(namespace, option): value}
OptionSettings = Mapping[tuple[str, str], str]
INSTANCE_PROFILE = ("aws:autoscaling:launchconfiguration", "IamInstanceProfile")


class ApiError(Exception):
    """A request that the API refuses, with its error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def settings_of(parameters: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """The OptionSettings of a request. Raises ApiError if the platform would refuse one."""
    settings = {
        (parameters[f"{member}.Namespace"], parameters[f"{member}.OptionName"]): parameters[f"{member}.Value"]
        for member in _members(parameters, "OptionSettings")
    }
    return _allowed(settings)


def removals_of(parameters: Mapping[str, str]) -> list[tuple[str, str]]:
    """The OptionsToRemove of a request."""
    return [
        (parameters[f"{member}.Namespace"], parameters[f"{member}.OptionName"])
        for member in _members(parameters, "OptionsToRemove")
    ]


def saved_settings(text: str) -> dict[tuple[str, str], str]:
    """The settings of a saved configuration. Raises ApiError if the platform would refuse one."""
    groups = yaml.safe_load(text)["OptionSettings"]
    return _allowed({(space, option): value for space, group in groups.items() for option, value in group.items()})


def _members(parameters: Mapping[str, str], name: str) -> list[str]:
    found = {match[1] for key in parameters if (match := re.match(rf"({name}\.member\.\d+)\.", key))}
    return sorted(found, key=lambda member: int(member.rpartition(".")[2]))


#: what the EB CLI sends besides the options that this project sets; an application load balancer ignores the last two
_OF_THE_CLIENT = frozenset(
    {
        ("aws:elb:policies", "ConnectionDrainingEnabled"),
        ("aws:elb:loadbalancer", "CrossZone"),
    }
)


def _allowed(settings: dict[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    for (space, option), value in settings.items():
        refused = None if (space, option) in _OF_THE_CLIENT else objection(space, option, value)
        if refused:
            raise ApiError("InvalidParameterValue", f"Invalid option specification: {refused}")
    return settings
