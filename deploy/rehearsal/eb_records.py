"""The state of the simulated Elastic Beanstalk: application versions, one environment and its events."""

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
ENVIRONMENT_ID = "e-rehearsal1"
ENVIRONMENT_ARN = f"arn:aws:elasticbeanstalk:us-east-1:000000000000:environment/{APPLICATION}/{ENVIRONMENT}"
PLATFORM_ARN = f"arn:aws:elasticbeanstalk:us-east-1::platform/{BRANCH}/{VERSION}"


def now() -> str:
    """The current time in the API's format."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


@dataclass(frozen=True)
class AppVersion:
    """An application version: an uploaded bundle with a label."""

    label: str
    bucket: str
    key: str
    description: str
    created: str


@dataclass(frozen=True)
class Event:
    """One event of the environment."""

    at: str
    message: str
    severity: str
    request_id: str

    @property
    def failed(self) -> bool:
        return self.severity == "ERROR"


class Records:
    """The state, shared by the threads of the API and of the deployment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: dict[str, AppVersion] = {}
        self._events: list[Event] = []
        #: what requests and saved configurations set; it outranks .ebextensions
        self.settings: dict[tuple[str, str], str] = {}
        self.created = False
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
        """The versions with the given labels, or all versions."""
        with self._lock:
            return [version for label, version in self._versions.items() if labels is None or label in labels]

    def version(self, label: str) -> AppVersion:
        """The version with this label. Raises KeyError if there is none."""
        with self._lock:
            return self._versions[label]

    def add_event(self, message: str, request_id: str, severity: str = "INFO") -> None:
        """Add an event."""
        with self._lock:
            self._events.append(Event(now(), message, severity, request_id))

    def events(self, request_id: str | None, since: str | None) -> list[Event]:
        """Events of one request since a time, or all; newest first, as the API returns them."""
        with self._lock:
            return [
                event
                for event in reversed(self._events)
                if request_id in (None, event.request_id) and (since is None or event.at >= _api_time(since))
            ]


def _api_time(moment: str) -> str:
    """A client's time in the format of ``now``, so that times compare as text. Clients send fewer digits."""
    parsed = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
