"""The simulated environment: Immutable deployments of one instance behind a load balancer."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from deploy.rehearsal.balancer import Balancer
from deploy.rehearsal.client import send_request
from deploy.rehearsal.eb_records import Records
from deploy.rehearsal.engine import Engine, PlatformOptions
from deploy.rehearsal.instance import Instance
from deploy.rehearsal.processes import Ports, Processes
from deploy.rehearsal.progress import DeployError, Progress, RehearsalError
from deploy.rehearsal.tools import LocalS3

_HEALTHY_WITHIN_S = 300.0
_IDLE_WITHIN_S = 30.0
#: copied into the data folder of a new instance to save downloads; the predeploy hook still checks all digests
_SEEDED = ("models", "index/sample")
#: between two health checks (15 s on the platform)
_CHECK_EVERY_S = 1.0


@dataclass
class Environment:
    """Deploys versions. New instances reuse ``seed_packages`` and ``seed_data``, which saves minutes of installing."""

    folder: Path
    records: Records
    s3: LocalS3
    balancer: Balancer
    ports: Ports
    nginx: str
    pip_cache: Path
    processes: Processes
    progress: Progress
    seed_packages: Path | None
    seed_data: Path | None
    #: paths below the data folder that the next instance must not have
    without: tuple[str, ...] = ()
    current: Instance | None = None
    _count: int = 0
    _deploying: threading.Lock = field(default_factory=threading.Lock)

    def deploy(self, label: str, request_id: str) -> None:
        """Deploy a version. Never raises: like the platform, it reports the result as events."""
        with self._deploying:
            self.records.add_event("Immutable deployment policy enabled. Launching one instance.", request_id)
            try:
                self._replace(label)
            except (DeployError, RehearsalError) as error:
                self._report_failure(str(error), request_id)
            except Exception as error:  # noqa: BLE001 - the EB CLI would wait an hour for an event
                self._report_failure(f"the rehearsal itself failed: {type(error).__name__}: {error}", request_id)
            else:
                self.records.deployed = label
                self.records.health = ("Green", "Ok")
                self.records.add_event("New application version was deployed to running EC2 instances.", request_id)
                self.records.add_event("Environment update completed successfully.", request_id)
            self.records.status = "Ready"

    def wait_until_idle(self) -> None:
        """Wait until a running deployment has ended. Call this after its processes have been ended."""
        if self._deploying.acquire(timeout=_IDLE_WITHIN_S):
            self._deploying.release()

    def bundle(self, label: str) -> Path:
        """Download the bundle of a version from S3."""
        version = self.records.version(label)
        target = self.folder / f"{label}.zip"
        self.s3.download(version.bucket, version.key, target)
        return target

    def _replace(self, label: str) -> None:
        new = self._launch(label)
        try:
            engine = self._engine(new, self.bundle(label))
            options = engine.run()
            with self.progress.step(f"  {new.name} healthy ({options.healthy_count} × 200 from {options.health_path})"):
                self._await_health(new, options)
            with self.progress.step(f"  load balancer switched to {new.name} and old requests finished"):
                if not self.balancer.switch(new.web_port, options.idle_timeout_s, options.drain_s):
                    self.progress.report(
                        "  some requests took longer than the drain time and were closed, as on the platform"
                    )
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
            with self.progress.step(f"  {name} models and index copied from {seed}"):
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
            progress=self.progress,
        )

    def _await_health(self, new: Instance, options: PlatformOptions) -> None:
        """Wait for consecutive successful checks. Unlike on the platform, the first crash of the server is final."""
        successes, last_answer, pause = 0, "no answer", threading.Event()
        end = time.monotonic() + _HEALTHY_WITHIN_S
        while time.monotonic() < end:
            if new.web is None or new.web.poll() is not None:
                raise DeployError(
                    f"The server stopped while starting: {_failure_reason(new.web_log)}. "
                    "Read web.stdout.log (eb logs), correct the application and deploy again."
                )
            try:
                response = send_request(new.web_port, "GET", options.health_path, timeout_s=10)
                last_answer = response.body.decode("utf-8", "replace")
                successes = successes + 1 if response.status == 200 else 0
            except (OSError, http.client.HTTPException) as error:
                successes, last_answer = 0, str(error)
            if successes >= options.healthy_count:
                return
            pause.wait(_CHECK_EVERY_S)
        raise DeployError(
            f"{options.health_path} did not answer 200 within {_HEALTHY_WITHIN_S:.0f} s. "
            f"The last answer was: {last_answer}"
        )

    def _terminate(self, old: Instance) -> None:
        with self.progress.step(f"  {old.name} terminated"):
            if not old.stop(self.processes):
                self.progress.report(f"  {old.name} had to be killed")
        if old.venv != self.seed_packages:
            old.remove()

    def _report_failure(self, reason: str, request_id: str) -> None:
        self.progress.report(f"  deployment failed: {reason}")
        self.records.add_event(
            f"[Instance: i-{self._count}] Command failed on instance. Return code: 1 "
            f"Output: Engine execution has encountered an error. {reason}",
            request_id,
            "ERROR",
        )
        self.records.add_event("Failed to deploy application.", request_id, "ERROR")


def _failure_reason(log: Path) -> str:
    """The exception that ended the server, or else the last line of its log."""
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    for line in reversed(lines):
        text = _exception_of(line)
        if text:
            return text.rstrip(".")
    return lines[-1].rstrip(".") if lines else "the log is empty"


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
