"""What the stand-in for Elastic Beanstalk remembers: application versions, one environment, its events."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

APPLICATION = "dermserve"
ENVIRONMENT = "dermserve-rehearsal"
BUCKET = "elasticbeanstalk-us-east-1-000000000000"
BRANCH = "Python 3.11 running on 64bit Amazon Linux 2023"
VERSION = "4.13.7"
STACK = f"64bit Amazon Linux 2023 v{VERSION} running Python 3.11"
PLATFORM_ARN = f"arn:aws:elasticbeanstalk:us-east-1::platform/{BRANCH}/{VERSION}"


def now() -> str:
    """The time as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


@dataclass(frozen=True)
class AppVersion:
    """A bundle that was uploaded."""

    label: str
    bucket: str
    key: str
    description: str
    created: str


@dataclass(frozen=True)
class Event:
    """One line of the environment's story."""

    at: str
    message: str
    severity: str
    request_id: str


class Records:
    """Shared by the API's threads and the deployment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: dict[str, AppVersion] = {}
        self._events: list[Event] = []
        self.deployed = "none"
        self.status = "Ready"
        self.health = ("Grey", "Unknown")

    def add_version(self, parameters: Mapping[str, str]) -> AppVersion:
        """Raises KeyError if a parameter is missing."""
        version = AppVersion(
            parameters["VersionLabel"],
            parameters["SourceBundle.S3Bucket"],
            parameters["SourceBundle.S3Key"],
            parameters.get("Description", ""),
            now(),
        )
        with self._lock:
            self._versions[version.label] = version
        return version

    def versions(self, labels: set[str] | None = None) -> list[AppVersion]:
        """Those with the given labels, or all."""
        with self._lock:
            return [version for label, version in self._versions.items() if labels is None or label in labels]

    def version(self, label: str) -> AppVersion:
        """Raises KeyError if there is none."""
        with self._lock:
            return self._versions[label]

    def tell(self, message: str, request_id: str, severity: str = "INFO") -> None:
        """Add an event."""
        with self._lock:
            self._events.append(Event(now(), message, severity, request_id))

    def events(self, request_id: str | None, since: str | None) -> list[Event]:
        """The newest first, as the API gives them; times are compared as text of one form."""
        with self._lock:
            return [
                event
                for event in reversed(self._events)
                if request_id in (None, event.request_id) and (since is None or event.at >= _same_form(since))
            ]


def _same_form(moment: str) -> str:
    """A time of the client, in the form of ``now``; clients write fewer or more digits of a second."""
    parsed = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
