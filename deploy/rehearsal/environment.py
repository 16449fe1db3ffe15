"""The simulated environment: Immutable deployments, and restarts in batches, of instances behind a load balancer."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.rehearsal.balancer import Balancer
from deploy.rehearsal.client import send_request
from deploy.rehearsal.eb_records import APPLICATION, BUCKET, ENVIRONMENT, Records
from deploy.rehearsal.engine import Engine, PlatformOptions, read_options
from deploy.rehearsal.instance import Instance
from deploy.rehearsal.processes import Ports, Processes
from deploy.rehearsal.progress import DeployError, Progress, RehearsalError
from deploy.rehearsal.secret_store import SecretStore
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
    secrets: SecretStore
    balancer: Balancer
    ports: Ports
    nginx: str
    pip_cache: Path
    processes: Processes
    progress: Progress
    seed_packages: Path | None
    seed_data: Path | None
    #: paths below the data folder that new instances must not have
    without: tuple[str, ...] = ()
    #: the engines of the instances that serve
    engines: list[Engine] = field(default_factory=list)
    _count: int = 0
    _deploying: threading.Lock = field(default_factory=threading.Lock)

    @property
    def current(self) -> Instance | None:
        """The first instance that serves."""
        return self.engines[0].instance if self.engines else None

    @property
    def instances(self) -> list[Instance]:
        """The instances that serve."""
        return [engine.instance for engine in self.engines]

    def create(self, label: str, request_id: str) -> None:
        """Launch the first instances. Never raises: like the platform, it reports the result as events."""
        with self._operation(request_id, "Failed to launch environment."):
            self._replace(label)
            self._report_success(label, f"Successfully launched environment: {ENVIRONMENT}", request_id)

    def deploy(self, label: str, request_id: str) -> None:
        """Deploy a version to new instances. Never raises."""
        with self._operation(request_id, "Failed to deploy application."):
            self.records.add_event("Immutable deployment policy enabled. Launching one instance.", request_id)
            self._replace(label)
            self.records.add_event("New application version was deployed to running EC2 instances.", request_id)
            self._report_success(label, "Environment update completed successfully.", request_id)

    def configure(self, label: str, request_id: str) -> None:
        """Apply changed environment properties to the running instances, in batches. Never raises."""
        with self._operation(request_id, "Failed to deploy configuration."):
            self._restart(changed=True)
            self._report_success(label, "Environment update completed successfully.", request_id)

    def restart(self, label: str, request_id: str) -> None:
        """Restart the application servers, in batches. Never raises."""
        with self._operation(request_id, "Failed to restart application server."):
            self._restart(changed=False)
            self._report_success(label, "Successfully restarted the application server.", request_id)

    def scale_out(self, engine: Engine) -> float:
        """Start one more instance, and send it requests when it is healthy.

        Returns the seconds from its start until it was healthy. Raises DeployError if it does not start.
        """
        start = time.monotonic()
        try:
            options = engine.run()
            self._await_healthy(engine, options)
        except BaseException:
            engine.instance.stop(self.processes, grace_s=5)
            raise
        seconds = time.monotonic() - start
        self.engines.append(engine)
        self._switch(self.engines, options)
        return seconds

    def scale_in(self) -> None:
        """Terminate the instance that was added last."""
        engine = self.engines.pop()
        self._switch(self.engines, read_options(engine.instance.current, self.records.settings))
        self._terminate(engine.instance)

    def saved_configuration(self, name: str) -> str:
        """The text of a saved configuration, from where the EB CLI uploads it."""
        return self.s3.read_text(BUCKET, f"resources/templates/{APPLICATION}/{name}")

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

    @contextmanager
    def _operation(self, request_id: str, failed: str) -> Iterator[None]:
        """One operation at a time. Errors become events, the last of which is ``failed``."""
        with self._deploying:
            try:
                yield
            except (DeployError, RehearsalError) as error:
                self._report_failure(str(error), failed, request_id)
            except Exception as error:  # noqa: BLE001 - the EB CLI would wait an hour for an event
                self._report_failure(
                    f"the rehearsal itself failed: {type(error).__name__}: {error}", failed, request_id
                )
            self.records.status = "Ready"

    def _replace(self, label: str) -> None:
        """Launch one new instance, then the others, and move the load balancer to them."""
        launched: list[Engine] = []
        try:
            options = self._launch(label, launched)
            while len(launched) < options.instances:
                self._launch(label, launched)
            self._switch(launched, options)
        except BaseException:
            for engine in launched:
                engine.instance.stop(self.processes, grace_s=5)
                shutil.rmtree(engine.instance.data, ignore_errors=True)
            raise
        old, self.engines = self.engines, launched
        if self.seed_packages is None:
            self.seed_packages = launched[0].instance.venv
        for engine in old:
            self._terminate(engine.instance)

    def _launch(self, label: str, launched: list[Engine]) -> PlatformOptions:
        """Start an instance, add it to ``launched``, and wait until it is healthy."""
        engine = self._engine(self._new_instance(label), self.bundle(label))
        launched.append(engine)
        options = engine.run()
        self._await_healthy(engine, options)
        return options

    def _restart(self, *, changed: bool) -> None:
        """Restart the instances in batches. The load balancer sends no requests to a batch, if others remain."""
        options = read_options(self.engines[0].instance.current, self.records.settings)
        size = options.batch_of(len(self.engines))
        for start in range(0, len(self.engines), size):
            batch = self.engines[start : start + size]
            others = [engine for engine in self.engines if engine not in batch]
            if others:
                self._switch(others, options)
            for engine in batch:
                engine.restart(self.records.settings, changed=changed)
            for engine in batch:
                self._await_healthy(engine, options)
            self._switch(self.engines, options)

    def _switch(self, engines: list[Engine], options: PlatformOptions) -> None:
        names = ", ".join(engine.instance.name for engine in engines)
        ports = [engine.instance.web_port for engine in engines]
        with self.progress.step(f"  load balancer switched to {names} and old requests finished"):
            if not self.balancer.switch(ports, options.idle_timeout_s, options.drain_s):
                self.progress.report(
                    "  some requests took longer than the drain time and were closed, as on the platform"
                )

    def _new_instance(self, label: str) -> Instance:
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
            shutil.rmtree(new.data / part, ignore_errors=True)
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
            secrets=self.secrets,
            outranking=dict(self.records.settings),
        )

    def _await_healthy(self, engine: Engine, options: PlatformOptions) -> None:
        new = engine.instance
        with self.progress.step(f"  {new.name} healthy ({options.healthy_count} × 200 from {options.health_path})"):
            self._await_health(new, options)

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
            if new.nginx is None or new.nginx.poll() is not None:
                raise DeployError(f"The proxy stopped: {_failure_reason(new.log / 'nginx.log')}.")
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

    def _report_success(self, label: str, message: str, request_id: str) -> None:
        self.records.deployed = label
        self.records.health = ("Green", "Ok")
        self.records.add_event(message, request_id)

    def _report_failure(self, reason: str, failed: str, request_id: str) -> None:
        self.progress.report(f"  {failed} {reason}")
        self.records.add_event(
            f"[Instance: i-{self._count}] Command failed on instance. Return code: 1 "
            f"Output: Engine execution has encountered an error. {reason}",
            request_id,
            "ERROR",
        )
        self.records.add_event(failed, request_id, "ERROR")


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
