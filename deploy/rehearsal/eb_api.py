"""The part of the Elastic Beanstalk Query API that a rehearsal uses, served on loopback."""

from __future__ import annotations

import threading
import urllib.parse
import uuid
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from xml.sax.saxutils import escape

from deploy.rehearsal.eb_records import (
    APPLICATION,
    BRANCH,
    BUCKET,
    ENVIRONMENT,
    ENVIRONMENT_ARN,
    ENVIRONMENT_ID,
    PLATFORM_ARN,
    STACK,
    VERSION,
    AppVersion,
    Records,
    now,
)
from deploy.rehearsal.eb_settings import INSTANCE_PROFILE, ApiError, removals_of, saved_settings, settings_of
from deploy.rehearsal.processes import LOOPBACK

Parameters = Mapping[str, str]
#: what an action does with (version label, request id). It takes long, and reports its result as events.
Action = Callable[[str, str], None]


class Platform(Protocol):
    """What happens on the instances when a client asks for it."""

    def create(self, label: str, request_id: str) -> None: ...
    def deploy(self, label: str, request_id: str) -> None: ...
    def configure(self, label: str, request_id: str) -> None: ...
    def restart(self, label: str, request_id: str) -> None: ...
    def saved_configuration(self, name: str) -> str: ...


class Operations:
    """Each public method is one API operation and returns the XML inside its result element, or raises ApiError."""

    def __init__(self, records: Records, platform: Platform) -> None:
        self._records = records
        self._platform = platform
        self._operations: Mapping[str, Callable[[Parameters, str], str]] = {
            "CreateApplicationVersion": self.create_application_version,
            "CreateEnvironment": self.create_environment,
            "CreateStorageLocation": self.create_storage_location,
            "DescribeApplicationVersions": self.describe_application_versions,
            "DescribeApplications": self.describe_applications,
            "DescribeConfigurationSettings": self.describe_configuration_settings,
            "DescribeEnvironments": self.describe_environments,
            "DescribeEvents": self.describe_events,
            "DescribePlatformVersion": self.describe_platform_version,
            "ListAvailableSolutionStacks": self.list_available_solution_stacks,
            "ListPlatformBranches": self.list_platform_branches,
            "ListPlatformVersions": self.list_platform_versions,
            "RestartAppServer": self.restart_app_server,
            "UpdateEnvironment": self.update_environment,
        }

    def call(self, action: str, parameters: Parameters, request_id: str) -> str:
        """Raises ApiError if the operation is refused or not simulated."""
        operation = self._operations.get(action)
        if operation is None:
            raise ApiError("NotImplemented", f"{action} is not simulated")
        return operation(parameters, request_id)

    def create_storage_location(self, _: Parameters, __: str) -> str:
        return xml(S3Bucket=BUCKET)

    def describe_applications(self, _: Parameters, __: str) -> str:
        return _members("Applications", [xml(ApplicationName=APPLICATION, DateCreated=now(), DateUpdated=now())])

    def describe_environments(self, _: Parameters, __: str) -> str:
        return _members("Environments", [self._environment()] if self._records.created else [])

    def create_application_version(self, parameters: Parameters, _: str) -> str:
        return f"<ApplicationVersion>{_version(self._records.add_version(parameters))}</ApplicationVersion>"

    def describe_application_versions(self, parameters: Parameters, _: str) -> str:
        labels = {value for name, value in parameters.items() if name.startswith("VersionLabels.member.")}
        return _members("ApplicationVersions", [_version(v) for v in self._records.versions(labels or None)])

    def create_environment(self, parameters: Parameters, request_id: str) -> str:
        """Like the platform, it refuses a template without a platform, and an environment without a profile."""
        template, settings = parameters.get("TemplateName"), settings_of(parameters)
        if not parameters.get("PlatformArn"):
            raise ApiError("InvalidParameterValue", "Unable to determine base for template pack (no solution stack)")
        saved = saved_settings(self._platform.saved_configuration(template)) if template else {}
        self._records.settings = saved | settings
        self._records.created = True
        self._records.add_event("createEnvironment is starting.", request_id)
        if INSTANCE_PROFILE not in self._records.settings:
            self._records.add_event("Environment must have instance profile associated with it.", request_id, "ERROR")
            self._records.add_event("Failed to launch environment.", request_id, "ERROR")
        else:
            self._begin(self._platform.create, "Launching", parameters["VersionLabel"], request_id)
        return self._environment()

    def update_environment(self, parameters: Parameters, request_id: str) -> str:
        """A new version goes to new instances. Other changes are made on the running ones."""
        settings = self._records.settings | settings_of(parameters)
        for removed in removals_of(parameters):
            settings.pop(removed, None)
        self._records.settings = settings
        self._records.add_event("Environment update is starting.", request_id)
        label = parameters.get("VersionLabel")
        action = self._platform.deploy if label else self._platform.configure
        self._begin(action, "Updating", label or self._records.deployed, request_id)
        return self._environment()

    def restart_app_server(self, _: Parameters, request_id: str) -> str:
        self._records.add_event("restartAppServer is starting.", request_id)
        self._begin(self._platform.restart, "Updating", self._records.deployed, request_id)
        return ""

    def _begin(self, action: Action, status: str, label: str, request_id: str) -> None:
        self._records.status = status
        threading.Thread(target=action, args=(label, request_id), name="platform", daemon=True).start()

    def describe_events(self, parameters: Parameters, _: str) -> str:
        found = self._records.events(parameters.get("RequestId"), parameters.get("StartTime"))
        return _members(
            "Events",
            [
                xml(
                    EventDate=event.at,
                    Message=event.message,
                    ApplicationName=APPLICATION,
                    EnvironmentName=ENVIRONMENT,
                    Severity=event.severity,
                    RequestId=event.request_id,
                )
                for event in found
            ],
        )

    def describe_configuration_settings(self, _: Parameters, __: str) -> str:
        settings = xml(
            ApplicationName=APPLICATION,
            EnvironmentName=ENVIRONMENT,
            SolutionStackName=STACK,
            PlatformArn=PLATFORM_ARN,
        )
        options = [
            xml(Namespace=space, OptionName=option, Value=value)
            for (space, option), value in sorted(self._records.settings.items())
        ]
        return _members("ConfigurationSettings", [settings + _members("OptionSettings", options)])

    def list_available_solution_stacks(self, _: Parameters, __: str) -> str:
        return _members("SolutionStacks", [STACK]) + _members("SolutionStackDetails", [])

    def list_platform_branches(self, _: Parameters, __: str) -> str:
        branch = xml(PlatformName="Python", BranchName=BRANCH, LifecycleState="Supported", BranchOrder="1")
        return _members("PlatformBranchSummaryList", [branch])

    def list_platform_versions(self, _: Parameters, __: str) -> str:
        return _members(
            "PlatformSummaryList",
            [
                xml(
                    PlatformArn=PLATFORM_ARN,
                    PlatformOwner="AWSElasticBeanstalk",
                    PlatformStatus="Ready",
                    PlatformCategory="Python",
                    OperatingSystemName="Amazon Linux",
                    OperatingSystemVersion="2023",
                    PlatformLifecycleState="Recommended",
                    PlatformVersion=VERSION,
                    PlatformBranchName=BRANCH,
                    PlatformBranchLifecycleState="Supported",
                )
            ],
        )

    def describe_platform_version(self, _: Parameters, __: str) -> str:
        described = xml(
            PlatformArn=PLATFORM_ARN,
            PlatformOwner="AWSElasticBeanstalk",
            PlatformName="Python 3.11",
            PlatformVersion=VERSION,
            SolutionStackName=STACK,
            PlatformStatus="Ready",
            PlatformBranchName=BRANCH,
        )
        return f"<PlatformDescription>{described}</PlatformDescription>"

    def _environment(self) -> str:
        colour, status = self._records.health
        facts = xml(
            ApplicationName=APPLICATION,
            EnvironmentName=ENVIRONMENT,
            EnvironmentId=ENVIRONMENT_ID,
            EnvironmentArn=ENVIRONMENT_ARN,
            VersionLabel=self._records.deployed,
            SolutionStackName=STACK,
            PlatformArn=PLATFORM_ARN,
            Status=self._records.status,
            Health=colour,
            HealthStatus=status,
            CNAME="localhost",
            AbortableOperationInProgress="false",
            DateCreated=now(),
            DateUpdated=now(),
        )
        return f"{facts}<Tier>{xml(Name='WebServer', Type='Standard', Version='1.0')}</Tier>"


def xml(**elements: str) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in elements.items())


def _members(name: str, items: list[str]) -> str:
    return f"<{name}>" + "".join(f"<member>{item}</member>" for item in items) + f"</{name}>"


def _version(version: AppVersion) -> str:
    facts = xml(
        ApplicationName=APPLICATION,
        VersionLabel=version.label,
        Description=version.description,
        Status="UNPROCESSED",
        DateCreated=version.created,
        DateUpdated=version.created,
    )
    return f"{facts}<SourceBundle>{xml(S3Bucket=version.bucket, S3Key=version.key)}</SourceBundle>"


_NAMESPACE = "http://elasticbeanstalk.amazonaws.com/docs/2010-12-01/"


class EbApi:
    """Serves the API until ``stop``."""

    def __init__(self, port: int, records: Records, platform: Platform) -> None:
        self.url = f"http://{LOOPBACK}:{port}"
        handler = type("Handler", (_Handler,), {"operations": Operations(records, platform)})
        self._server = ThreadingHTTPServer((LOOPBACK, port), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="eb-api", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    operations: Operations

    def log_message(self, *_: object) -> None:
        """Log nothing: the EB CLI logs its requests."""

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        parameters = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
        action, request_id = parameters.get("Action", ""), str(uuid.uuid4())
        try:
            result = self.operations.call(action, parameters, request_id)
        except ApiError as refused:
            error = f"<Error>{xml(Type='Sender', Code=refused.code, Message=str(refused))}</Error>"
            text = f'<ErrorResponse xmlns="{_NAMESPACE}">{error}{xml(RequestId=request_id)}</ErrorResponse>'
            self._send(400, text.encode())
            return
        metadata = f"<ResponseMetadata>{xml(RequestId=request_id)}</ResponseMetadata>"
        text = f"<{action}Result>{result}</{action}Result>{metadata}"
        self._send(200, f'<{action}Response xmlns="{_NAMESPACE}">{text}</{action}Response>'.encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
