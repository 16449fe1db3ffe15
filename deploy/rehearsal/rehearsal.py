"""Sets up a rehearsal: tools, local S3, the API, the load balancer and a source tree to deploy."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.rehearsal import packages
from deploy.rehearsal.balancer import Balancer
from deploy.rehearsal.eb_api import EbApi
from deploy.rehearsal.eb_records import BUCKET, ENVIRONMENT, Records
from deploy.rehearsal.environment import Environment
from deploy.rehearsal.processes import CommandResult, Ports, Processes
from deploy.rehearsal.progress import CheckError, Progress, RehearsalError
from deploy.rehearsal.secret_store import SecretStore
from deploy.rehearsal.source import Source
from deploy.rehearsal.tools import EbCli, LocalS3, install_tools, local_client
from settings import load_or_exit

_POLL_S = 0.5
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class RehearsalOptions:
    """Options of a rehearsal. With ``installed``, instances reuse the packages of this interpreter."""

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
    #: the address of the Elastic Beanstalk API
    api_url: str
    progress: Progress
    #: the commit that was deployed first
    first_commit: str

    @property
    def port(self) -> int:
        """The port of the load balancer."""
        return self.environment.balancer.port

    def create(self, configuration: str = "basic-ml") -> CommandResult:
        """Run `eb create --cfg` with the last commit of the source. Returns the result of the EB CLI."""
        return self._run(f"eb create --cfg {configuration}", lambda: self.cli.create(configuration))

    def deploy(self, what: str, label: str | None = None) -> CommandResult:
        """Run `eb deploy` on the last commit of the source, or on an earlier version."""
        version = f" --version {label}" if label else ""
        return self._run(f"eb deploy{version} ({what})", lambda: self.cli.deploy(label))

    def setenv(self, *pairs: str) -> CommandResult:
        """Run `eb setenv`."""
        return self._run(f"eb setenv {' '.join(pairs)}", lambda: self.cli.setenv(*pairs))

    def restart_app_server(self) -> None:
        """The API's RestartAppServer, for which the EB CLI has no command. Raises CheckError if it fails."""
        records = self.environment.records
        with self.progress.step("aws elasticbeanstalk restart-app-server"):
            client = local_client("elasticbeanstalk", self.api_url)
            done = client.restart_app_server(EnvironmentName=ENVIRONMENT)
            while records.status != "Ready":
                time.sleep(_POLL_S)
        errors = [event for event in records.events(done["ResponseMetadata"]["RequestId"], None) if event.failed]
        if errors:
            raise CheckError(f"the servers were not restarted: {errors[-1].message}")

    def _run(self, command: str, run: Callable[[], CommandResult]) -> CommandResult:
        with self.progress.step(command):
            done = run()
        self.progress.report(f"{command}: exit status {done.status}")
        return done


def find_nginx() -> str:
    """The path of nginx. Raises RehearsalError if it is not installed."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise RehearsalError("nginx is not installed (Debian: apt-get install nginx)")
    return found


@contextmanager
def running_rehearsal(options: RehearsalOptions, progress: Progress) -> Iterator[Rehearsal]:
    """Start everything that a deployment needs, and end every process when the block ends.

    Raises RehearsalError if a tool is missing.
    """
    home = options.repository / "var" / "rehearsal"
    with ExitStack() as ends:
        run = _run_folder(home, options, progress, ends)
        environment = _environment(options, progress, run)
        ends.callback(environment.wait_until_idle)
        ends.callback(environment.processes.end_all)
        with progress.step("tools"):
            pins = options.repository / "requirements-rehearsal.txt"
            tools = install_tools(pins, home / "tools", environment.processes)
        with progress.step("source tree"):
            make = Source.from_working_tree if options.working_tree else Source.from_head
            source = make(options.repository, run / "source", run / "home")
        with progress.step("local S3, API and load balancer"):
            cli, api_url = _start(environment, tools, source, ends)
        with progress.step("eb init"):
            cli.init()
        source.commit("Configure the EB CLI")
        yield Rehearsal(source, environment, cli, api_url, progress, source.head())


def _run_folder(home: Path, options: RehearsalOptions, progress: Progress, ends: ExitStack) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    run = Path(tempfile.mkdtemp(prefix="run-", dir=home))
    (run / "home").mkdir()
    if options.keep:
        ends.callback(progress.report, f"kept: {run}")
    else:
        ends.callback(shutil.rmtree, run, ignore_errors=True)
    return run


def _environment(options: RehearsalOptions, progress: Progress, run: Path) -> Environment:
    nginx, ports, processes = find_nginx(), Ports(options.port_base), Processes()
    balancer_port = ports.take()
    s3 = LocalS3(ports.take())
    user = "user root root;" if os.geteuid() == 0 else ""
    return Environment(
        folder=run,
        records=Records(),
        s3=s3,
        secrets=SecretStore(s3.url),
        balancer=Balancer(nginx, run / "front", balancer_port, user, processes),
        ports=ports,
        nginx=nginx,
        pip_cache=run.parent / "pip-cache",
        processes=processes,
        progress=progress,
        seed_packages=packages.current_virtual_environment() if options.installed else None,
        seed_data=_local_data(options.repository),
    )


def _start(environment: Environment, tools: Path, source: Source, ends: ExitStack) -> tuple[EbCli, str]:
    """The EB CLI, and the address of the API that it uses."""
    run, s3 = environment.folder, environment.s3
    plain = {"PATH": os.environ["PATH"], "HOME": str(run / "home"), "LANG": "C.UTF-8"}
    s3.start(tools, run, plain, environment.processes)
    s3.make_bucket(BUCKET)
    environment.balancer.start()
    api = EbApi(environment.ports.take(), environment.records, environment)
    api.start()
    ends.callback(api.stop)
    aws = s3.environment() | {"AWS_ENDPOINT_URL_ELASTIC_BEANSTALK": api.url}
    return EbCli(tools, source.folder, run / "eb.log", plain | aws, environment.processes), api.url


def _local_data(repository: Path) -> Path | None:
    """The data folder of this repository, if it has models. The instance checks their digests again."""
    var = repository / load_or_exit().var
    return var if (var / "models").is_dir() else None
