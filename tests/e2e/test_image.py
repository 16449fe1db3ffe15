"""The images at work: in one network without any other, as an unprivileged user, on roots that cannot be written.

``make image`` builds them and runs these tests. Not tested: limits of memory and CPU, Docker's and Kubernetes' own
network, seccomp profile and probes (docs/deployment/image.md).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.e2e.pod import Container, container, has_image, network
from tests.e2e.server import REPOSITORY, Server, skin_photo

_SERVICE, _PROXY = "localhost/dermserve:latest", "localhost/dermserve-proxy:latest"
_USER = 10001


@dataclass(frozen=True)
class Pod:
    service: Container
    proxy: Container
    server: Server
    inside: list[str]

    def curl(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [*self.inside, "curl", "--silent", "--max-time", "120", "--write-out", "\n%{http_code}", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True)

    def ask(self, *words: str) -> tuple[int, str]:
        body, _, status = self.curl(*words).stdout.rpartition("\n")
        return int(status), body


@pytest.fixture(scope="module")
def containers() -> Iterator[tuple[Container, Container]]:
    if shutil.which("buildah") is None:
        pytest.skip("buildah is not installed: the images are not tested")
    if os.geteuid() != 0 or not has_image(_SERVICE) or not has_image(_PROXY):
        pytest.skip("the images are not built; as root, run: make image")
    with container(_SERVICE) as service, container(_PROXY) as proxy:
        yield service, proxy


@pytest.fixture(scope="module")
def pod(containers: tuple[Container, Container], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    """Both images, ready."""
    service, proxy = containers
    log = tmp_path_factory.mktemp("pod") / "stdout.log"
    with network() as inside, log.open("w") as out:
        os.chown(log, _USER, _USER)  # as engines do with a container's output, because nginx opens /dev/stdout again
        nginx = subprocess.Popen([*inside, *proxy.command()], stdout=out, stderr=out)
        server = Server(
            subprocess.Popen([*inside, *service.command()], stdout=out, stderr=subprocess.PIPE, text=True), log
        )
        try:
            server.wait_ready()
            server.reader.start()
            yield Pod(service, proxy, server, inside)
        finally:
            server.stop()
            nginx.terminate()
            nginx.wait(timeout=60)


def test_a_photo_is_answered_through_the_proxy(pod: Pod, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(skin_photo())
    status, body = pod.ask("--form", f"image=@{photo}", "http://127.0.0.1:8080/api/analyze/skin")
    assert status == 200, body
    assert json.loads(body)["success"] is True


def test_an_upload_larger_than_all_buffers_reaches_the_service(pod: Pod, tmp_path: Path) -> None:
    large = tmp_path / "large.jpg"
    large.write_bytes(skin_photo() + bytes(20 * 2**20))
    status, body = pod.ask("--form", f"image=@{large}", "http://127.0.0.1:8080/api/analyze/skin")
    assert status in (200, 422), body  # an answer of the service, not 413 or 500 of nginx


def test_the_processes_are_unprivileged_and_cannot_write_their_files(pod: Pod) -> None:
    process = psutil.Process(pod.server.process.pid)
    for one in (process, *process.children()):
        assert set(one.uids()) == {_USER}
        assert set(one.gids()) == {_USER}
    touch = [*pod.inside, *pod.service.command("touch", "/srv/dermserve/new", "/var/lib/dermserve/new")]
    refused = subprocess.run(touch, capture_output=True, text=True, check=False)
    assert refused.stderr.count("Read-only file system") == 2


def test_metrics_are_on_the_port_of_the_service_only(pod: Pod) -> None:
    status, page = pod.ask("http://127.0.0.1:8000/metrics")
    assert status == 200
    assert "dermserve_running" in page
    assert pod.ask("http://127.0.0.1:8080/metrics")[0] == 404


def test_the_health_check_of_the_image_tells_ready_from_not_ready(pod: Pod) -> None:
    kind, *words = pod.service.config["Healthcheck"]["Test"]
    assert kind == "CMD"
    check = pod.service.command(*words)
    assert subprocess.run([*pod.inside, *check], check=False).returncode == 0
    with network() as elsewhere:
        assert subprocess.run([*elsewhere, *check], capture_output=True, check=False).returncode != 0


def test_the_image_says_which_version_and_bundle_it_is(containers: tuple[Container, Container]) -> None:
    service, _ = containers
    labels = service.config["Labels"]
    assert labels["dermserve.bundle"].startswith("dermserve-")
    assert labels["org.opencontainers.image.version"] != "unknown"
    procfile = (REPOSITORY / "Procfile").read_text().removeprefix("web:").split()
    assert service.config["Cmd"] == procfile


def test_an_image_has_only_what_the_service_reads(containers: tuple[Container, Container]) -> None:
    service, proxy = containers
    here = {path.name for path in (service.root / "srv/dermserve").iterdir()}
    assert here == {
        *("LICENSE", "NOTICE", "__pycache__", "application.py", "docs", "gunicorn.conf.py", "settings.py"),
        *("ml", "scin", "server", "storage", "web"),
    }
    for root in (service.root / "srv", service.root / "opt", service.root / "var/lib/dermserve"):
        for path in root.rglob("*"):
            found = path.lstat()
            assert found.st_uid == 0, path
            assert path.is_symlink() or not found.st_mode & 0o002, path
    assert not (proxy.root / "srv").exists() or not any((proxy.root / "srv").iterdir())
