"""What a bundle's .ebextensions say, as the platform would take it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.allowlist import ENVIRONMENT, ENVIRONMENT_LIMIT, objection
from deploy.ebextensions import ConfigError, all_settings, config_files, load
from deploy.rehearsal.errors import DeployError

_PROCESS = "aws:elasticbeanstalk:environment:process:default"


@dataclass(frozen=True)
class Options:
    """The options that a rehearsal acts upon."""

    properties: Mapping[str, str]
    health_path: str
    healthy_count: int
    idle_timeout_s: int
    drain_s: int


def read_options(application: Path) -> Options:
    """Raises DeployError if the platform would refuse one of the settings."""
    try:
        settings = all_settings(application)
    except ConfigError as error:
        raise DeployError(f"Invalid .ebextensions: {error}") from error
    refused = [line for (space, name), value in settings.items() if (line := objection(space, name, value))]
    if refused:
        raise DeployError(f"Invalid option specification: {refused[0]}")
    values = {key: str(value) for key, value in settings.items()}
    properties = {name: value for (space, name), value in values.items() if space == ENVIRONMENT}
    size = sum(len(name) + len(value) + 1 for name, value in properties.items())
    if size > ENVIRONMENT_LIMIT:
        raise DeployError(f"The environment properties take {size} bytes; {ENVIRONMENT_LIMIT} are allowed")
    return Options(
        properties,
        health_path=values.get((_PROCESS, "HealthCheckPath"), "/"),
        healthy_count=int(values.get((_PROCESS, "HealthyThresholdCount"), "3")),
        idle_timeout_s=int(values.get(("aws:elbv2:loadbalancer", "IdleTimeout"), "60")),
        drain_s=int(values.get((_PROCESS, "DeregistrationDelay"), "20")),
    )


def section(application: Path, name: str) -> dict[str, Any]:
    """One section (``files``, ``container_commands``, …) of all .ebextensions together, sorted by key."""
    merged: dict[str, Any] = {}
    for path in config_files(application):
        merged |= load(path).get(name) or {}
    return dict(sorted(merged.items()))
