"""Parts of the rehearsal, each tested without a whole deployment."""

from __future__ import annotations

import io
import re
import subprocess
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import psutil
import pytest

from deploy.rehearsal.checks import Load, expect
from deploy.rehearsal.client import Response, send_request
from deploy.rehearsal.eb_api import EbApi, Platform
from deploy.rehearsal.eb_records import Records
from deploy.rehearsal.engine import BUNDLE_LIMIT, Engine, read_options
from deploy.rehearsal.instance import Instance
from deploy.rehearsal.packages import pip_environment
from deploy.rehearsal.plays import PLAYS, Play, perform
from deploy.rehearsal.processes import Ports, Processes
from deploy.rehearsal.progress import CheckError, DeployError, Progress, RehearsalError
from deploy.rehearsal.rehearsal import Rehearsal
from deploy.rehearsal.secret_store import SecretStore
from deploy.rehearsal.source import Source
from tests.unit.deploy.process_ends import still_alive

ROOT = Path(__file__).resolve().parents[3]
PLAIN = {"PATH": "/usr/bin:/bin"}


def engine(folder: Path, bundle: Path) -> Engine:
    return Engine(
        instance=Instance("i-1", folder / "i-1", 1, 2, "a version"),
        bundle=bundle,
        aws={},
        nginx="nginx",
        pip_cache=folder / "cache",
        seed_packages=None,
        processes=Processes(),
        progress=Progress(io.StringIO()),
        secrets=SecretStore("http://127.0.0.1:9"),
        outranking={},
    )


def test_options_of_this_repository() -> None:
    options = read_options(ROOT)
    assert (options.health_path, options.healthy_count) == ("/health/ready", 3)
    assert (options.idle_timeout_s, options.drain_s) == (330, 300)
    assert options.properties["ANALYSIS_TIMEOUT"] == "300"
    assert (options.instances, options.secrets) == (1, {})
    # One at a time, and never none.
    assert [options.batch_of(instances) for instances in (1, 2, 3)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('option_settings:\n  aws:made:up:\n    Name: "1"\n', "aws:made:up is not a known namespace"),
        ("option_settings:\n  aws:autoscaling:asg:\n    MinSize: 1\n", "MinSize is not quoted"),
        ("option_settings:\n  a: {}\noption_settings:\n  b: {}\n", "occurs twice"),
        (f'option_settings:\n  aws:elasticbeanstalk:application:environment:\n    X: "{"x" * 4096}"\n', "4098 bytes"),
    ],
)
def test_an_option_that_the_platform_refuses_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / ".ebextensions").mkdir()
    (tmp_path / ".ebextensions" / "10-one.config").write_text(text)
    with pytest.raises(DeployError, match=said):
        read_options(tmp_path)


def test_a_bundle_over_500_megabytes_is_refused(tmp_path: Path) -> None:
    bundle = tmp_path / "large.zip"
    with bundle.open("wb") as sparse:
        sparse.truncate(BUNDLE_LIMIT + 1)
    with pytest.raises(DeployError, match="at most 500 MB"):
        engine(tmp_path, bundle).run()


def test_a_bundle_with_a_parent_folder_is_refused(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("dermserve/Procfile", "web: true\n")
    with pytest.raises(DeployError, match="without their parent folder"):
        engine(tmp_path, bundle).run()


def test_every_process_is_ended_with_its_children(tmp_path: Path) -> None:
    processes = Processes()
    command = ["/bin/sh", "-c", "sleep 600 & echo started; wait"]
    started = processes.start(command, cwd=tmp_path, env=PLAIN, log=tmp_path / "log")
    parent = psutil.Process(started.pid)
    while not (family := parent.children()):
        pass
    processes.end_all()
    assert still_alive([parent, *family]) == []
    with pytest.raises(RehearsalError, match="is ending"):
        processes.start(command, cwd=tmp_path, env=PLAIN, log=tmp_path / "log")


def test_a_command_over_its_time_limit_fails(tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = Processes().run(["/bin/sh", "-c", "echo begun; sleep 600"], cwd=tmp_path, env=PLAIN, log=log, limit_s=0.5)
    assert (done.status, done.last_line) == (124, "begun")


def test_ports_from_a_base_are_consecutive() -> None:
    first = Ports().take()
    assert Ports(first).take() == first


def test_no_other_program_is_given_a_port_that_was_taken() -> None:
    """Linux gives ports from its own range to programs that ask for any."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = Ports()
    taken = [ports.take() for _ in range(50)]
    assert max(taken) < lowest
    assert len(set(taken)) == 50


def test_a_port_in_use_is_named_in_the_error() -> None:
    api = EbApi(port := Ports().take(), Records(), cast("Platform", None))
    try:
        with pytest.raises(RehearsalError, match=f"port {port} is in use"):
            Ports(port).take()
    finally:
        api.stop()


def test_an_operation_that_is_not_simulated_is_refused() -> None:
    api = EbApi(port := Ports().take(), Records(), cast("Platform", None))
    api.start()
    try:
        answer = send_request(port, "POST", "/", b"Action=TerminateEnvironment")
        assert answer.status == 400
        assert b"TerminateEnvironment is not simulated" in answer.body
    finally:
        api.stop()


def test_events_are_filtered_by_request_and_time() -> None:
    records = Records()
    records.add_event("first", "a")
    records.add_event("of another request", "b")
    records.add_event("second & last", "a", "ERROR")
    assert [event.message for event in records.events("a", None)] == ["second & last", "first"]
    assert records.events("a", "2999-01-01T00:00:00Z") == []
    assert len(records.events(None, "2000-01-01T00:00:00.000000+00:00")) == 3


def test_the_working_tree_omits_what_git_ignores(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "var").mkdir(parents=True)
    for name in (".gitignore", "committed", "deleted", "var/model", "untracked"):
        (tree / name).write_text("var/\n")
    git = ["git", "-C", str(tree), "-c", "user.name=x", "-c", "user.email=x@localhost"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", ".gitignore", "committed", "deleted"], check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "first"], check=True)
    (tree / "deleted").unlink()
    (tree / "committed").write_text("changed\n")
    source = Source.from_working_tree(tree, tmp_path / "source", tmp_path)
    held = sorted(path.name for path in source.folder.iterdir() if path.name != ".git")
    assert held == [".gitignore", "committed", "untracked"]
    assert source.read("committed") == "changed\n"


def test_a_source_is_restored_to_a_commit(tmp_path: Path) -> None:
    (tree := tmp_path / "tree").mkdir()
    (tree / "file").write_text("first\n")
    subprocess.run(["git", "-C", str(tree), "init", "--quiet"], check=True)
    source = Source.from_working_tree(tree, tmp_path / "source", tmp_path)
    first = source.head()
    source.write("file", "second\n")
    source.write("new/file", "new\n")
    source.commit("changed")
    source.write("not-committed", "")
    source.restore(first)
    assert source.read("file") == "first\n"
    assert sorted(path.name for path in source.folder.iterdir()) == [".git", "file"]
    with pytest.raises(RehearsalError, match="does not contain 'third'"):
        source.replace("file", "third", "fourth")


def test_pip_uses_the_callers_index_and_the_hooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://mirror.example/simple")
    written = tmp_path / "pip.conf"
    written.write_text("[global]\nextra-index-url = https://cpu.example/torch\nno-cache-dir = true\n")
    assert pip_environment(tmp_path)["PIP_EXTRA_INDEX_URL"] == "https://mirror.example/simple"
    both = pip_environment(tmp_path, written)
    assert both["PIP_EXTRA_INDEX_URL"] == "https://mirror.example/simple https://cpu.example/torch"
    assert both["PIP_NO_CACHE_DIR"] == "true"
    assert both["PIP_CACHE_DIR"] == str(tmp_path)


def test_a_load_without_requests_fails_the_check() -> None:
    with pytest.raises(CheckError, match="nothing was sent"):
        Load().require_none_lost()
    with pytest.raises(CheckError, match="1 of 10 requests were lost: 502"):
        Load(answered=9, lost=["502"]).require_none_lost()


def test_an_unmet_expectation_names_the_response() -> None:
    refusal = Response(413, {}, b'{"success": false, "error": {"code": "body_too_large"}}')
    assert expect(refusal, 413, "body_too_large") is refusal
    with pytest.raises(CheckError, match="expected 200"):
        expect(refusal, 200)
    with pytest.raises(CheckError, match="in JSON"):
        expect(Response(413, {}, b"<html>413</html>"), 413)


def test_the_time_of_each_play_is_printed_and_a_failure_ends_the_rehearsal() -> None:
    said, played = io.StringIO(), list[str]()

    def fail(_: Rehearsal) -> None:
        raise CheckError("a request was lost")

    source = SimpleNamespace(restore=lambda commit: played.append(f"from {commit}"))
    stage = cast("Rehearsal", SimpleNamespace(progress=Progress(said), source=source, first_commit="first"))
    perform(stage, [Play("first", lambda _: played.append("first")), Play("second", lambda _: played.append("second"))])
    assert played == ["from first", "first", "from first", "second"]
    assert re.findall(r"^ .* (first|second) +\d+\.\d s$", said.getvalue(), re.MULTILINE) == ["first", "second"]
    with pytest.raises(CheckError, match="a request was lost"):
        perform(stage, [Play("first", fail), Play("second", lambda _: played.append("never"))])
    assert "never" not in played


def test_each_play_has_a_name_of_its_own() -> None:
    names = [play.name for play in PLAYS]
    assert len(set(names)) == len(names)
    assert [play.name for play in PLAYS if play.short] == ["service"]
