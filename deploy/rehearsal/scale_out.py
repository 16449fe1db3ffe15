"""Adds an instance to a running environment: from a bundle in the local S3 with no registry, and without a bundle."""

from __future__ import annotations

import os
import resource
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.allowlist import ENVIRONMENT
from deploy.rehearsal import packages
from deploy.rehearsal.checks import steady_load
from deploy.rehearsal.eb_records import BUCKET
from deploy.rehearsal.engine import Engine
from deploy.rehearsal.instance import Instance
from deploy.rehearsal.progress import CheckError, DeployError, RehearsalError
from deploy.rehearsal.rehearsal import REPOSITORY, Rehearsal
from deploy.rehearsal.tools import UNUSED_ENDPOINT

#: seconds from the start of an instance until it is healthy. On a busy machine it may take longer, which says nothing
#: of the bundle as long as its CPU time is within this limit.
LIMIT_S = 60
_MAKE_LIMIT_S = 3600
#: the settings of pip that lead to a registry
_REGISTRIES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "TORCH_INDEX")
#: everything but loopback goes through a proxy that does not exist
_CLOSED_NETWORK = {
    "HTTP_PROXY": UNUSED_ENDPOINT,
    "HTTPS_PROXY": UNUSED_ENDPOINT,
    "http_proxy": UNUSED_ENDPOINT,
    "https_proxy": UNUSED_ENDPOINT,
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}


@dataclass
class ClosedEngine(Engine):
    """An instance that reaches the local S3, and no package registry: neither the internet's nor this machine's."""

    def _install_env(self) -> dict[str, str]:
        closed = dict.fromkeys(_REGISTRIES, f"{UNUSED_ENDPOINT}/simple")
        closed |= {"PIP_FIND_LINKS": "/nonexistent", "PIP_RETRIES": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        return closed | packages.pip_settings(self.instance.root / "pip.conf")


def from_bundle(rehearsal: Rehearsal) -> None:
    """Without a registry an instance starts from a bundle within LIMIT_S, and cannot start without one.

    No request is lost meanwhile. Raises CheckError.
    """
    address = _make_bundle(rehearsal)
    with rehearsal.progress.step("without a bundle, no instance starts on the closed network"):
        _expect_no_start(rehearsal)
    with steady_load(rehearsal.port) as load:
        engine = _engine(rehearsal, ClosedEngine, {"DERMSERVE_BUNDLE": address})
        seconds, cpu_s = _add_instance(rehearsal, engine, "with a bundle")
    rehearsal.environment.scale_in()
    rehearsal.progress.report(f"  {load}")
    load.require_none_lost()
    if min(seconds, cpu_s) > LIMIT_S:
        raise CheckError(f"the instance took {seconds:.0f} s to be ready; {LIMIT_S} s are allowed")


def without_bundle(rehearsal: Rehearsal) -> None:
    """Print how long an instance takes that installs from registries, with an empty cache and no models.

    On this machine the registries may be near, so that the download takes less time than it would elsewhere.
    """
    engine = _engine(rehearsal, Engine, {"DERMSERVE_BUNDLE": ""})
    _add_instance(rehearsal, engine, "without a bundle")
    rehearsal.environment.scale_in()


def _make_bundle(rehearsal: Rehearsal) -> str:
    """Make a bundle of the deployed version and upload it to the local S3. Returns its address."""
    environment = rehearsal.environment
    log = environment.folder / "bundle.log"
    env = {**os.environ, **environment.s3.environment(), "DERMSERVE_INDEX": "sample"}
    requirements = rehearsal.source.folder / "requirements.txt"
    command = [sys.executable, "-m", "deploy.bundle", f"s3://{BUCKET}/bundles", "--requirements", str(requirements)]
    with rehearsal.progress.step("python -m deploy.bundle (the packages are kept for the next time)"):
        done = environment.processes.run(command, cwd=REPOSITORY, env=env, log=log, limit_s=_MAKE_LIMIT_S)
    if done.status:
        raise RehearsalError(f"the bundle cannot be made: {done.last_line}")
    return done.last_line


def _engine(rehearsal: Rehearsal, kind: type[Engine], properties: Mapping[str, str]) -> Engine:
    """A new instance with nothing on it."""
    environment = rehearsal.environment
    name = f"i-added-{time.monotonic_ns()}"
    instance = Instance(
        name,
        environment.folder / name,
        environment.ports.take(),
        environment.ports.take(),
        environment.records.deployed,
    )
    network = _CLOSED_NETWORK if kind is ClosedEngine else {}
    path = f"{instance.venv}/bin:{os.defpath}:{_folder_with_aws(environment.folder)}"
    return kind(
        instance=instance,
        bundle=environment.bundle(instance.version),
        aws={**environment.s3.environment(), **network, "PATH": path},
        nginx=environment.nginx,
        pip_cache=instance.root / "pip-cache",
        seed_packages=None,
        processes=environment.processes,
        progress=environment.progress,
        secrets=environment.secrets,
        outranking={
            **environment.records.settings,
            **{(ENVIRONMENT, name): value for name, value in properties.items()},
        },
    )


def _folder_with_aws(folder: Path) -> Path:
    """A folder with the AWS CLI alone, which every instance of the platform has."""
    beside = Path(sys.base_prefix, "bin", "aws")
    found = beside if beside.exists() else shutil.which("aws")
    if found is None:
        raise RehearsalError("the AWS CLI is not installed (Debian: apt-get install awscli)")
    own = folder / "aws"
    own.mkdir(exist_ok=True)
    if not (own / "aws").exists():
        (own / "aws").symlink_to(found)
    return own


def _expect_no_start(rehearsal: Rehearsal) -> None:
    engine = _engine(rehearsal, ClosedEngine, {"DERMSERVE_BUNDLE": ""})
    try:
        engine.run()
    except DeployError as error:
        if "pip cannot install" not in str(error):
            raise CheckError(f"the instance failed, but not for want of a registry: {error}") from error
    else:
        raise CheckError("an instance without a bundle reached a registry, so the network was not closed")
    finally:
        engine.instance.stop(rehearsal.environment.processes, grace_s=5)
        engine.instance.remove()


def _add_instance(rehearsal: Rehearsal, engine: Engine, how: str) -> tuple[float, float]:
    """Start an instance, give it requests, and print how long it took. Returns the seconds, and those of CPU time,
    without that of S3. Raises CheckError."""
    before = _cpu_of_ended_children()
    try:
        seconds = rehearsal.environment.scale_out(engine)
    except DeployError as error:
        raise CheckError(f"the new instance did not start: {error}") from error
    cpu_s = _cpu_of_ended_children() - before
    if engine.instance.web is not None:
        server = psutil.Process(engine.instance.web.pid)
        cpu_s += sum(sum(one.cpu_times()[:2]) for one in [server, *server.children(recursive=True)])
    rehearsal.progress.report(
        f"  from instance start to ready {how}: {seconds:.1f} s, {cpu_s:.1f} s of CPU time "
        f"(load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)"
    )
    return seconds, cpu_s


def _cpu_of_ended_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
