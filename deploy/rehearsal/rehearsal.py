"""Everything together: tools, local S3, the API, the front, and a source tree to deploy from."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.rehearsal import packages
from deploy.rehearsal.balancer import Balancer
from deploy.rehearsal.eb_api import EbApi
from deploy.rehearsal.eb_cli import EbCli, install_tools
from deploy.rehearsal.eb_records import BUCKET, Records
from deploy.rehearsal.environment import Environment
from deploy.rehearsal.errors import RehearsalError
from deploy.rehearsal.local_s3 import LocalS3
from deploy.rehearsal.narrator import Narrator
from deploy.rehearsal.ports import Ports
from deploy.rehearsal.processes import Finished, Processes
from deploy.rehearsal.source import Source
from settings import load_or_exit

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Wishes:
    """How to rehearse. ``installed``: take the packages of this interpreter's environment instead of installing."""

    working_tree: bool = False
    installed: bool = False
    port_base: int | None = None
    keep: bool = False
    repository: Path = REPOSITORY


@dataclass
class Rehearsal:
    """A running rehearsal."""

    source: Source
    environment: Environment
    cli: EbCli
    narrator: Narrator
    #: what was deployed first, before anything was changed
    first_commit: str

    @property
    def port(self) -> int:
        """Where the environment answers: the load balancer's."""
        return self.environment.balancer.port

    def deploy(self, what: str) -> Finished:
        """`eb deploy` of what is committed. The exit status is the EB CLI's own."""
        with self.narrator.step(f"eb deploy ({what})"):
            done = self.cli.deploy()
        self.narrator.say(f"eb deploy ({what}): exit status {done.status}")
        return done


def find_nginx() -> str:
    """Raises RehearsalError if there is none."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise RehearsalError("nginx is not installed (Debian: apt-get install nginx)")
    return found


@contextmanager
def rehearsing(wishes: Wishes, narrator: Narrator) -> Iterator[Rehearsal]:
    """Start everything that a deployment needs; at the end, however it comes, every process is ended.

    Raises RehearsalError if a tool is missing.
    """
    home = wishes.repository / "var" / "rehearsal"
    with ExitStack() as ends:
        run = _run_folder(home, wishes, narrator, ends)
        environment = _environment(wishes, narrator, run)
        ends.callback(environment.settle)
        ends.callback(environment.processes.end_all)
        with narrator.step("tools"):
            pins = wishes.repository / "requirements-rehearsal.txt"
            tools = install_tools(pins, home / "tools", environment.processes)
        with narrator.step("source tree"):
            make = Source.of_working_tree if wishes.working_tree else Source.of_head
            source = make(wishes.repository, run / "source", run / "home")
        with narrator.step("local S3, API and front"):
            cli = _start(environment, tools, source, ends)
        with narrator.step("eb init"):
            cli.init()
        source.commit("What eb init wrote")
        yield Rehearsal(source, environment, cli, narrator, source.head())


def _run_folder(home: Path, wishes: Wishes, narrator: Narrator, ends: ExitStack) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    run = Path(tempfile.mkdtemp(prefix="run-", dir=home))
    (run / "home").mkdir()
    if wishes.keep:
        ends.callback(narrator.say, f"kept: {run}")
    else:
        ends.callback(shutil.rmtree, run, ignore_errors=True)
    return run


def _environment(wishes: Wishes, narrator: Narrator, run: Path) -> Environment:
    nginx, ports, processes = find_nginx(), Ports(wishes.port_base), Processes()
    front_port = ports.take()
    user = "user root root;" if os.geteuid() == 0 else ""
    return Environment(
        folder=run,
        records=Records(),
        s3=LocalS3(ports.take()),
        balancer=Balancer(nginx, run / "front", front_port, user, processes),
        ports=ports,
        nginx=nginx,
        pip_cache=run.parent / "pip-cache",
        processes=processes,
        narrator=narrator,
        seed_packages=packages.this_interpreters_packages() if wishes.installed else None,
        seed_data=_data_of(wishes.repository),
    )


def _start(environment: Environment, tools: Path, source: Source, ends: ExitStack) -> EbCli:
    run, s3 = environment.folder, environment.s3
    plain = {"PATH": os.environ["PATH"], "HOME": str(run / "home"), "LANG": "C.UTF-8"}
    s3.start(tools, run, plain, environment.processes)
    s3.make_bucket(BUCKET)
    environment.balancer.start()
    api = EbApi(environment.ports.take(), environment.records, environment.deploy)
    api.start()
    ends.callback(api.stop)
    aws = s3.environment() | {"AWS_ENDPOINT_URL_ELASTIC_BEANSTALK": api.url}
    return EbCli(tools, source.folder, run / "eb.log", plain | aws, environment.processes)


def _data_of(repository: Path) -> Path | None:
    """The developer's own models and index, if there are any: their digests are checked again on the instance."""
    var = repository / load_or_exit().var
    return var if (var / "models").is_dir() else None
