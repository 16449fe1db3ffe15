"""The steps of one deployment on one instance, in the order in which the platform runs them."""

from __future__ import annotations

import math
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.allowlist import ENVIRONMENT, ENVIRONMENT_LIMIT, SECRETS, objection
from deploy.ebextensions import ConfigError, all_settings, config_files, load
from deploy.proxy import stage_proxy
from deploy.rehearsal import packages
from deploy.rehearsal.eb_settings import OptionSettings
from deploy.rehearsal.instance import Hooks, Instance
from deploy.rehearsal.processes import CommandResult, Processes
from deploy.rehearsal.progress import DeployError, Progress
from deploy.rehearsal.secret_store import SecretStore

#: bytes
BUNDLE_LIMIT = 500 * 2**20
_COMMAND = "aws:elasticbeanstalk:command"
_PROCESS = "aws:elasticbeanstalk:environment:process:default"


@dataclass(frozen=True)
class PlatformOptions:
    """The options that affect a rehearsal."""

    properties: Mapping[str, str]
    #: {variable: ARN}
    secrets: Mapping[str, str]
    health_path: str
    healthy_count: int
    idle_timeout_s: int
    drain_s: int
    instances: int
    #: instances that are changed in place at a time: a number, or a percentage
    batch_size: int
    batch_is_percentage: bool

    def batch_of(self, instances: int) -> int:
        """How many of ``instances`` are restarted at a time, at least one."""
        size = math.ceil(instances * self.batch_size / 100) if self.batch_is_percentage else self.batch_size
        return max(1, min(size, instances))


def read_options(application: Path, outranking: OptionSettings | None = None) -> PlatformOptions:
    """Read the options from .ebextensions, and ``outranking`` over them.

    Raises DeployError if the platform would refuse one.
    """
    try:
        settings = all_settings(application)
    except ConfigError as error:
        raise DeployError(f"Invalid .ebextensions: {error}") from error
    refused = [line for (space, name), value in settings.items() if (line := objection(space, name, value))]
    if refused:
        raise DeployError(f"Invalid option specification: {refused[0]}")
    values = {key: str(value) for key, value in settings.items()} | dict(outranking or {})
    properties = {name: value for (space, name), value in values.items() if space == ENVIRONMENT}
    size = sum(len(name) + len(value) + 1 for name, value in properties.items())
    if size > ENVIRONMENT_LIMIT:
        raise DeployError(f"The environment properties take {size} bytes; {ENVIRONMENT_LIMIT} are allowed")
    return PlatformOptions(
        properties,
        {name: value for (space, name), value in values.items() if space == SECRETS},
        health_path=values.get((_PROCESS, "HealthCheckPath"), "/"),
        healthy_count=int(values.get((_PROCESS, "HealthyThresholdCount"), "3")),
        idle_timeout_s=int(values.get(("aws:elbv2:loadbalancer", "IdleTimeout"), "60")),
        drain_s=int(values.get((_PROCESS, "DeregistrationDelay"), "20")),
        instances=int(values.get(("aws:autoscaling:asg", "MinSize"), "1")),
        batch_size=int(values.get((_COMMAND, "BatchSize"), "100")),
        batch_is_percentage=values.get((_COMMAND, "BatchSizeType"), "Percentage") == "Percentage",
    )


def merged_section(application: Path, name: str) -> dict[str, Any]:
    """Merge one section (``files``, ``container_commands``, …) of all .ebextensions, sorted by key."""
    merged: dict[str, Any] = {}
    for path in config_files(application):
        merged |= load(path).get(name) or {}
    return dict(sorted(merged.items()))


@dataclass
class Engine:
    """Runs one deployment. If ``seed_packages`` is a virtual environment, the new one reuses its packages."""

    instance: Instance
    bundle: Path
    aws: dict[str, str]
    nginx: str
    pip_cache: Path
    seed_packages: Path | None
    processes: Processes
    progress: Progress
    secrets: SecretStore
    #: settings that outrank .ebextensions
    outranking: OptionSettings

    def run(self) -> PlatformOptions:
        """Run all steps. Raises DeployError with the reason if a step fails."""
        self._step("StageApplication", self._stage)
        options = read_options(self.instance.staging, self.outranking)
        self._hooks = self._hooks_with(options)
        self._step("WriteFiles", self._write_files)
        self._step("CreateVirtualEnvironment", self._create_venv)
        self._step("RunAppDeployPreBuildHooks", lambda: self._hooks.run("prebuild", self.instance.staging))
        self._step("InstallDependency", self._install)
        self._step("StageProxy", self._stage_proxy)
        self._step("RunContainerCommands", self._container_commands)
        self._step("RunAppDeployPreDeployHooks", lambda: self._hooks.run("predeploy", self.instance.staging))
        self._step("FlipApplication", self._flip)
        self._step("StartApplication", self._start_web)
        self._step("StartProxy", self._start_proxy)
        self._step("RunAppDeployPostDeployHooks", lambda: self._hooks.run("postdeploy", self.instance.current))
        return options

    def restart(self, outranking: OptionSettings, *, changed: bool) -> PlatformOptions:
        """Restart server and proxy in place, with the present values of properties and secrets.

        With ``changed`` properties, the confighooks run too. Raises DeployError if a step fails.
        """
        instance, self.outranking = self.instance, outranking
        options = read_options(instance.current, outranking)
        self._hooks = self._hooks_with(options)
        if changed:
            self._step("RunConfigPreDeployHooks", lambda: self._hooks.run("predeploy", instance.current, "confighooks"))
        self._step("StopServer", lambda: instance.stop_in_place(self.processes))
        self._step("StartApplication", self._start_web)
        self._step("StartProxy", self._start_proxy)
        if changed:
            self._step(
                "RunConfigPostDeployHooks", lambda: self._hooks.run("postdeploy", instance.current, "confighooks")
            )
        return options

    def _step(self, name: str, action: Callable[[], None]) -> None:
        with self.instance.engine_log.open("a") as log:
            log.write(f"[INFO] Executing instruction: {name}\n")
        with self.progress.step(f"  {self.instance.name} {name}"):
            action()

    def _hooks_with(self, options: PlatformOptions) -> Hooks:
        fetched = self.secrets.fetch_all(options.secrets)
        properties = dict(options.properties) | fetched | {"PORT": str(self.instance.app_port)}
        return Hooks(self.instance, properties, self.aws, self.processes, self._install_env)

    def _stage(self) -> None:
        size = self.bundle.stat().st_size
        if size > BUNDLE_LIMIT:
            raise DeployError(
                f"The bundle has {size / 2**20:.0f} MB; at most 500 MB are allowed. Exclude files in .gitattributes."
            )
        with zipfile.ZipFile(self.bundle) as archive:
            archive.extractall(self.instance.staging)
            for entry in archive.infolist():
                mode = entry.external_attr >> 16 & 0o777
                if mode and not entry.is_dir():
                    (self.instance.staging / entry.filename).chmod(mode)
        if (
            not (self.instance.staging / "Procfile").is_file()
            and not (self.instance.staging / "application.py").is_file()
        ):
            raise DeployError(
                "The root of the bundle has neither Procfile nor application.py. "
                "Zip the files without their parent folder."
            )

    def _write_files(self) -> None:
        for name, content in merged_section(self.instance.staging, "files").items():
            target = self.instance.files / name.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content.get("content", ""), encoding="utf-8")

    def _create_venv(self) -> None:
        created = self._run(sys.executable, "-m", "venv", str(self.instance.venv))
        if created.status:
            raise DeployError(f"The virtual environment cannot be created: {created.last_line}")
        if self.seed_packages is not None:
            packages.seed(self.instance.venv, self.seed_packages)

    def _install_env(self) -> dict[str, str]:
        return packages.pip_environment(self.pip_cache, self.instance.root / "pip.conf")

    def _install(self) -> None:
        pip = str(self.instance.venv / "bin" / "pip")
        done = self._run(pip, "install", "-r", "requirements.txt", cwd=self.instance.staging, pip=True)
        if done.status:
            reasons = [line for line in done.output.splitlines() if line.startswith("ERROR:")]
            reason = (reasons or [done.last_line])[-1].removeprefix("ERROR: ").rstrip(".")
            raise DeployError(
                f"pip cannot install requirements.txt: {reason}. Correct requirements.txt and deploy again."
            )

    def _stage_proxy(self) -> None:
        self._nginx_conf = stage_proxy(
            self.instance.root / "proxy",
            self.instance.staging,
            listen=self.instance.web_port,
            upstream=self.instance.app_port,
        )

    def _container_commands(self) -> None:
        for name, entry in merged_section(self.instance.staging, "container_commands").items():
            done = self._run("/bin/bash", "-c", entry["command"], cwd=self.instance.staging)
            if done.status and not entry.get("ignoreErrors"):
                raise DeployError(f"container_command {name} failed: {done.last_line}")

    def _flip(self) -> None:
        shutil.move(self.instance.staging, self.instance.current)

    def _start_web(self) -> None:
        line = next(
            (text for text in (self.instance.current / "Procfile").read_text().splitlines() if text.startswith("web:")),
            "",
        )
        if not line:
            raise DeployError("The Procfile has no line that begins with web:")
        command = ["/bin/bash", "-c", f"exec {line.removeprefix('web:').strip()}"]
        env = self._hooks.application_environment()
        self.instance.web = self.processes.start(command, cwd=self.instance.current, env=env, log=self.instance.web_log)

    def _start_proxy(self) -> None:
        conf, prefix = self._nginx_conf, self._nginx_conf.parent
        log = self.instance.log / "nginx.log"
        command = [self.nginx, "-c", str(conf), "-p", str(prefix), "-e", str(log)]
        tested = self._run(*command, "-t", "-q")
        if tested.status:
            reason = next((text for text in tested.output.splitlines() if "[emerg]" in text), tested.last_line)
            reason = reason.partition("[emerg]")[2].strip() or reason
            raise DeployError(f"nginx rejects its configuration: {reason}. Correct .platform/nginx and deploy again.")
        self.instance.nginx = self.processes.start(
            [*command, "-g", "daemon off;"], cwd=prefix, env={"PATH": os.defpath}, log=log
        )

    def _run(self, *command: str, cwd: Path | None = None, pip: bool = False) -> CommandResult:
        env = {"PATH": f"{self.instance.venv}/bin:{os.defpath}:/usr/sbin", "HOME": str(self.instance.home)}
        env |= {"TMPDIR": str(self.instance.tmp), "LANG": "C.UTF-8"} | (self._install_env() if pip else {})
        return self.processes.run(command, cwd=cwd or self.instance.root, env=env, log=self.instance.engine_log)
