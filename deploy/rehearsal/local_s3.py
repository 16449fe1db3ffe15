"""A local S3: moto's server, in the rehearsal's own tools environment."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.rehearsal.errors import RehearsalError
from deploy.rehearsal.http_client import answers
from deploy.rehearsal.ports import LOOPBACK
from deploy.rehearsal.processes import Processes

REGION = "us-east-1"
#: nothing listens there: every AWS service that is not replaced fails at once
NOWHERE = "http://127.0.0.1:9"
_START_S = 30


class LocalS3:
    """Buckets on loopback."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://{LOOPBACK}:{port}"

    def start(self, tools: Path, folder: Path, env: Mapping[str, str], processes: Processes) -> None:
        """Raises RehearsalError if it does not answer in time."""
        log = folder / "s3.log"
        command: list[str | Path] = [tools / "bin" / "moto_server", "-H", LOOPBACK, "-p", str(self.port)]
        process = processes.start(command, cwd=folder, env=env, log=log)
        pause = threading.Event()
        for _ in range(_START_S * 10):
            if answers(self.port):
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
        """What makes any AWS client use this S3, reach no other service, and look for no real account."""
        return {
            "AWS_ENDPOINT_URL": NOWHERE,
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ACCESS_KEY_ID": "rehearsal",
            "AWS_SECRET_ACCESS_KEY": "rehearsal",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def _client(self) -> Any:
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="rehearsal",
            aws_secret_access_key="rehearsal",  # noqa: S106 - moto takes anything
        )
