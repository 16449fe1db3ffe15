"""Where a bundle lies, seen from a new instance: a folder, or S3 through the AWS CLI of the platform.

There is no boto3 before pip has run. The AWS CLI transfers in parallel, tries again, and takes its credentials from the
instance profile.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.bundle.contents import MANIFEST_FILE, PARTS, BundleError, Part, sha256_of

_METADATA = "http://169.254.169.254/latest"
_METADATA_S = 2
#: seconds for all transfers of one call
_LIMIT_S = 900
#: the CLI's own tries for each request, and seconds until it gives up a connection
_CLI = {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "5", "AWS_PAGER": ""}
_QUICK = ("--only-show-errors", "--cli-connect-timeout", "5", "--cli-read-timeout", "60")


class FolderSource:
    """Bundles in a folder of this machine, such as one that was baked into its image."""

    def __init__(self, home: str) -> None:
        self._home = Path(home[len("file://") :] if home.startswith("file://") else home)

    def manifest(self, name: str) -> bytes:
        """Raises BundleError if there is no such bundle."""
        try:
            return (self._home / name / MANIFEST_FILE).read_bytes()
        except OSError as error:
            raise BundleError(f"{self._home / name / MANIFEST_FILE} cannot be read: {error.strerror}") from error

    def bring(self, digests: Collection[str]) -> Path:
        """The folder in which the parts lie that are there."""
        return self._home / PARTS


class S3Source:
    """Bundles in S3. Parts are kept in ``cache`` until the installation is complete, so that a second try continues."""

    def __init__(self, home: str, cache: Path) -> None:
        self._home = home
        self._cache = cache
        self._aws = shutil.which("aws")
        self._environment = {**os.environ, **_CLI}
        if "AWS_REGION" not in os.environ and "AWS_DEFAULT_REGION" not in os.environ:
            self._environment.update(_region_of_instance())

    def manifest(self, name: str) -> bytes:
        """Raises BundleError if there is no such bundle."""
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder, MANIFEST_FILE)
            self._copy(f"{self._home}/{name}/{MANIFEST_FILE}", str(target))
            return target.read_bytes()

    def bring(self, digests: Collection[str]) -> Path:
        """Download the parts that are not in the cache yet, and return the cache. A part that is missing in S3 is
        missing there too. Raises BundleError if the transfer fails."""
        self._cache.mkdir(parents=True, exist_ok=True)
        wanted = [digest for digest in sorted(digests) if not (self._cache / digest).is_file()]
        if wanted:
            chosen = [word for digest in wanted for word in ("--include", digest)]
            self._copy(f"{self._home}/{PARTS}/", str(self._cache), "--recursive", "--exclude", "*", *chosen)
        return self._cache

    def _copy(self, origin: str, target: str, *options: str) -> None:
        if self._aws is None:
            raise BundleError("the AWS CLI is not on PATH, so nothing can be read from S3")
        command = [self._aws, "s3", "cp", origin, target, *_QUICK, *options]
        try:
            done = subprocess.run(
                command, env=self._environment, capture_output=True, text=True, timeout=_LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise BundleError(f"{origin} could not be read within {_LIMIT_S} s") from error
        if done.returncode:
            lines = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
            raise BundleError(f"{origin} cannot be read: {lines[-1] if lines else 'the AWS CLI gave no reason'}")


def open_source(home: str, cache: Path) -> FolderSource | S3Source:
    """Raises BundleError for an address that is neither a folder nor in S3."""
    if home.startswith("s3://"):
        return S3Source(home, cache)
    if "://" in home and not home.startswith("file://"):
        raise BundleError(f"'{home}' is neither a folder nor an s3:// address")
    return FolderSource(home)


def verified(source: FolderSource | S3Source, parts: Iterable[Part]) -> Path:
    """The folder with all ``parts``, each compared with its sha256. In S3's cache a damaged part is downloaded a second
    time.

    Raises BundleError, which names what is missing or damaged.
    """
    wanted = {part.sha256: part for part in parts}
    folder = source.bring(wanted)
    problems = _problems(folder, wanted.values())
    if problems and isinstance(source, S3Source):
        for digest in problems:
            (folder / digest).unlink(missing_ok=True)
        source.bring(problems)
        problems = _problems(folder, [wanted[digest] for digest in problems])
        for digest in problems:
            (folder / digest).unlink(missing_ok=True)
    if problems:
        first = min(problems.values())
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise BundleError(f"{first}{more}")
    return folder


def _problems(folder: Path, parts: Iterable[Part]) -> dict[str, str]:
    """{sha256: what is wrong} of the parts that are missing or differ."""

    def problem(part: Part) -> str:
        path = folder / part.sha256
        if not path.is_file():
            return f"{part.path} (part {part.sha256[:12]}…) is missing"
        if path.stat().st_size != part.size or sha256_of(path) != part.sha256:
            return f"{part.path} (part {part.sha256[:12]}…) does not match its sha256"
        return ""

    every = list(parts)
    with ThreadPoolExecutor() as threads:
        texts = list(threads.map(problem, every))
    return {part.sha256: text for part, text in zip(every, texts) if text}  # noqa: B905 - strict is of Python 3.10


def _region_of_instance() -> dict[str, str]:
    """The AWS CLI would ask us-east-1, which an S3 endpoint of another region's VPC does not reach."""
    if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return {}
    ask = urllib.request.Request(  # noqa: S310 - a constant address
        f"{_METADATA}/api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(ask, timeout=_METADATA_S) as answer:
            headers = {"X-aws-ec2-metadata-token": answer.read().decode()}
        document = urllib.request.Request(  # noqa: S310
            f"{_METADATA}/dynamic/instance-identity/document", headers=headers
        )
        with opener.open(document, timeout=_METADATA_S) as answer:
            return {"AWS_DEFAULT_REGION": str(json.loads(answer.read())["region"])}
    except (OSError, ValueError, KeyError):
        return {}
