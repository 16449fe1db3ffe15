"""The environment as the platform would run it: Immutable deployments, one instance, one address."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from deploy.rehearsal.balancer import Balancer
from deploy.rehearsal.eb_records import Records
from deploy.rehearsal.engine import Engine
from deploy.rehearsal.errors import DeployError, RehearsalError
from deploy.rehearsal.http_client import ask
from deploy.rehearsal.instance import Instance
from deploy.rehearsal.local_s3 import LocalS3
from deploy.rehearsal.narrator import Narrator
from deploy.rehearsal.ports import Ports
from deploy.rehearsal.processes import Processes
from deploy.rehearsal.properties import Options

_HEALTHY_WITHIN_S = 300.0
_SETTLE_S = 30.0
#: what an instance may begin with, below its data folder; the predeploy hook checks every digest again
_SEEDED = ("models", "index/sample")
#: between two health checks; the platform's are 15 s apart
_CHECK_EVERY_S = 1.0


@dataclass
class Environment:
    """``seed_packages`` and ``seed_data`` are what a new instance begins with, for want of minutes to begin bare."""

    folder: Path
    records: Records
    s3: LocalS3
    balancer: Balancer
    ports: Ports
    nginx: str
    pip_cache: Path
    processes: Processes
    narrator: Narrator
    seed_packages: Path | None
    seed_data: Path | None
    #: what the next instance must do without, as paths below the data folder
    without: tuple[str, ...] = ()
    current: Instance | None = None
    _count: int = 0
    _busy: threading.Lock = field(default_factory=threading.Lock)

    def deploy(self, label: str, request_id: str) -> None:
        """Deploy a version, telling the events as the platform does. Never raises: the events say what happened."""
        with self._busy:
            self.records.tell("Immutable deployment policy enabled. Launching one instance.", request_id)
            try:
                self._replace(label)
            except (DeployError, RehearsalError) as error:
                self._tell_failure(str(error), request_id)
            except Exception as error:  # noqa: BLE001 - the client must learn of it, or it waits for an hour
                self._tell_failure(f"the rehearsal itself failed: {type(error).__name__}: {error}", request_id)
            else:
                self.records.deployed = label
                self.records.health = ("Green", "Ok")
                self.records.tell("New application version was deployed to running EC2 instances.", request_id)
                self.records.tell("Environment update completed successfully.", request_id)
            self.records.status = "Ready"

    def settle(self) -> None:
        """Wait until a deployment that runs has ended, as it soon does once its processes are."""
        if self._busy.acquire(timeout=_SETTLE_S):
            self._busy.release()

    def bundle(self, label: str) -> Path:
        """The bundle of a version, taken from S3."""
        version = self.records.version(label)
        target = self.folder / f"{label}.zip"
        self.s3.download(version.bucket, version.key, target)
        return target

    def _replace(self, label: str) -> None:
        new = self._launch(label)
        try:
            engine = self._engine(new, self.bundle(label))
            options = engine.run()
            with self.narrator.step(f"  {new.name} healthy ({options.healthy_count} × 200 from {options.health_path})"):
                self._await_health(new, options)
            with self.narrator.step(f"  load balancer switched to {new.name}, old requests ended"):
                if not self.balancer.switch(new.web_port, options.idle_timeout_s, options.drain_s):
                    self.narrator.say("  some requests outlived the drain and were cut, as the platform would")
        except BaseException:
            new.stop(self.processes, grace_s=5)
            shutil.rmtree(new.data, ignore_errors=True)
            raise
        old, self.current = self.current, new
        if self.seed_packages is None:
            self.seed_packages = new.venv
        if old is not None:
            self._terminate(old)

    def _launch(self, label: str) -> Instance:
        self._count += 1
        name = f"i-{self._count}"
        new = Instance(name, self.folder / name, self.ports.take(), self.ports.take(), label)
        seed = self.seed_data or (self.current.data if self.current else None)
        if seed is not None and seed.is_dir():
            with self.narrator.step(f"  {name} models and index copied from {seed}"):
                for part in _SEEDED:
                    if (seed / part).is_dir():
                        shutil.copytree(seed / part, new.data / part)
        for part in self.without:
            shutil.rmtree(new.data / part)
        return new

    def _engine(self, new: Instance, bundle: Path) -> Engine:
        return Engine(
            instance=new,
            bundle=bundle,
            aws=self.s3.environment(),
            nginx=self.nginx,
            pip_cache=self.pip_cache,
            seed_packages=self.seed_packages,
            processes=self.processes,
            narrator=self.narrator,
        )

    def _await_health(self, new: Instance, options: Options) -> None:
        """The platform restarts a server that dies, until the command's timeout; here its first death is the end."""
        good, said, pause = 0, "no answer", threading.Event()
        end = time.monotonic() + _HEALTHY_WITHIN_S
        while time.monotonic() < end:
            if new.web is None or new.web.poll() is not None:
                raise DeployError(
                    f"The server stopped while starting: {_last_words(new.web_log)}. "
                    "Read web.stdout.log (eb logs), correct the application and deploy again."
                )
            try:
                answer = ask(new.web_port, "GET", options.health_path, timeout_s=10)
                good, said = (good + 1, "") if answer.status == 200 else (0, answer.body.decode("utf-8", "replace"))
            except (OSError, http.client.HTTPException) as error:
                good, said = 0, str(error)
            if good >= options.healthy_count:
                return
            pause.wait(_CHECK_EVERY_S)
        raise DeployError(f"{options.health_path} was not 200 within {_HEALTHY_WITHIN_S:.0f} s; it last said: {said}")

    def _terminate(self, old: Instance) -> None:
        with self.narrator.step(f"  {old.name} terminated"):
            if not old.stop(self.processes):
                self.narrator.say(f"  {old.name} had to be killed")
        if old.venv != self.seed_packages:
            old.remove()

    def _tell_failure(self, reason: str, request_id: str) -> None:
        self.narrator.say(f"  deployment failed: {reason}")
        self.records.tell(
            f"[Instance: i-{self._count}] Command failed on instance. Return code: 1 "
            f"Output: Engine execution has encountered an error. {reason}",
            request_id,
            "ERROR",
        )
        self.records.tell("Failed to deploy application.", request_id, "ERROR")


def _last_words(log: Path) -> str:
    """The exception that ended a server, else the last line it wrote; a JSON log line's message and cause."""
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    for line in reversed(lines):
        text = _exception_of(line)
        if text:
            return text.rstrip(".")
    return lines[-1].rstrip(".") if lines else "it wrote nothing"


def _exception_of(line: str) -> str:
    if line.startswith("{"):
        try:
            record = json.loads(line)
        except ValueError:
            return ""
        trace = str(record.get("exception") or record.get("exc_info") or "").strip()
        return trace.splitlines()[-1] if trace else ""
    head, colon, _ = line.partition(":")
    return line if colon and head.replace(".", "").isidentifier() and head.endswith(("Error", "Exception")) else ""
