"""Third-party tools in their own virtual environment: the unmodified EB CLI, and local AWS services (moto)."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.rehearsal.client import responds
from deploy.rehearsal.eb_records import APPLICATION, BRANCH, ENVIRONMENT
from deploy.rehearsal.processes import LOOPBACK, CommandResult, Processes
from deploy.rehearsal.progress import RehearsalError

REGION = "us-east-1"
#: nothing listens here, so requests to any other AWS service fail at once
UNUSED_ENDPOINT = "http://127.0.0.1:9"
_START_S = 30


def local_client(service: str, url: str) -> Any:
    """A client of an AWS service at a loopback address."""
    import boto3

    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="rehearsal",
        aws_secret_access_key="rehearsal",  # noqa: S106 - moto accepts any key
    )


class LocalS3:
    """An S3 server on loopback. It is a moto server, which also has the other services of AWS at the same address."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://{LOOPBACK}:{port}"

    def start(self, tools: Path, folder: Path, env: Mapping[str, str], processes: Processes) -> None:
        """Start the server. Raises RehearsalError if it does not answer in time."""
        log = folder / "s3.log"
        command: list[str | Path] = [tools / "bin" / "moto_server", "-H", LOOPBACK, "-p", str(self.port)]
        process = processes.start(command, cwd=folder, env=env, log=log)
        pause = threading.Event()
        for _ in range(_START_S * 10):
            if responds(self.port):
                return
            if process.poll() is not None:
                break
            pause.wait(0.1)
        raise RehearsalError(f"the local S3 did not start; see {log}")

    def make_bucket(self, name: str) -> None:
        self._client().create_bucket(Bucket=name)

    def put_folder(self, bucket: str, prefix: str, folder: Path) -> None:
        """Upload every file below ``folder``."""
        client = self._client()
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                client.upload_file(str(path), bucket, f"{prefix}/{path.relative_to(folder).as_posix()}")

    def download(self, bucket: str, key: str, target: Path) -> None:
        self._client().download_file(bucket, key, str(target))

    def environment(self) -> dict[str, str]:
        """Environment variables that make an AWS client use this S3, no other service and no real account."""
        return {
            "AWS_ENDPOINT_URL": UNUSED_ENDPOINT,
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ACCESS_KEY_ID": "rehearsal",
            "AWS_SECRET_ACCESS_KEY": "rehearsal",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def read_text(self, bucket: str, key: str) -> str:
        return str(self._client().get_object(Bucket=bucket, Key=key)["Body"].read().decode())

    def _client(self) -> Any:
        return local_client("s3", self.url)


#: `eb deploy --timeout` in minutes, as in docs/operations.md
DEPLOY_MINUTES = 45


def install_tools(requirements: Path, folder: Path, processes: Processes) -> Path:
    """Install ``requirements`` into a virtual environment below ``folder``, or reuse an earlier one.

    Returns its path. Raises RehearsalError if the installation fails.
    """
    # The scripts of an environment contain its path, so that they do not run after the folder was moved.
    folder = folder.resolve()
    facts = requirements.read_bytes() + sys.version.encode() + str(folder).encode()
    digest = hashlib.sha256(facts).hexdigest()[:12]
    made = folder / f"tools-{digest}"
    complete = made / "complete"
    if complete.exists():
        return made
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(made, ignore_errors=True)
    log = folder / "tools.log"
    commands: list[list[str | Path]] = [
        [sys.executable, "-m", "venv", made],
        [made / "bin" / "python", "-m", "pip", "install", "--quiet", "-r", requirements],
    ]
    for command in commands:
        done = processes.run(command, cwd=folder, env=os.environ, log=log)
        if done.status:
            raise RehearsalError(f"the EB CLI cannot be installed ({done.last_line}); see {log}")
    complete.touch()
    return made


@dataclass(frozen=True)
class EbCli:
    """Runs the EB CLI in one application's folder."""

    tools: Path
    folder: Path
    log: Path
    env: Mapping[str, str]
    processes: Processes

    def init(self) -> None:
        """Run `eb init`. Raises RehearsalError if it fails."""
        done = self._eb("init", APPLICATION, "--platform", BRANCH, "--region", REGION)
        if done.status:
            raise RehearsalError(f"eb init failed: {done.last_line}; see {self.log}")

    def create(self, configuration: str) -> CommandResult:
        """Run `eb create` with a saved configuration of the source. The exit status is as for ``deploy``."""
        return self._eb("create", ENVIRONMENT, "--cfg", configuration, "--timeout", str(DEPLOY_MINUTES))

    def deploy(self, label: str | None = None) -> CommandResult:
        """Run `eb deploy` on HEAD, or on the version ``label``.

        The exit status is 0, or 4 if the environment reports a failure.
        """
        version = ["--version", label] if label else []
        return self._eb("deploy", ENVIRONMENT, *version, "--timeout", str(DEPLOY_MINUTES))

    def setenv(self, *pairs: str) -> CommandResult:
        """Run `eb setenv`. The exit status is as for ``deploy``."""
        return self._eb("setenv", *pairs, "--environment", ENVIRONMENT, "--timeout", str(DEPLOY_MINUTES))

    def _eb(self, *arguments: str) -> CommandResult:
        command: list[str | Path] = [self.tools / "bin" / "eb", *arguments]
        return self.processes.run(command, cwd=self.folder, env=self.env, log=self.log, limit_s=DEPLOY_MINUTES * 60)
