"""For each failed deployment the EB CLI prints one line with the remedy, and no request is lost.

The tests follow the order of the deployment steps. Each deploys the first version with one fault. The last one deploys
the fix.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.rehearsal.checks import steady_load
from deploy.rehearsal.processes import CommandResult
from deploy.rehearsal.rehearsal import Rehearsal

pytestmark = [pytest.mark.e2e, pytest.mark.rehearsal, pytest.mark.models]

PROPERTIES = ".ebextensions/60-environment.config"
CLASSIFIER = "models/sklesion"
BUCKET = "rehearsed-artifacts"


@pytest.fixture
def broken(rehearsal: Rehearsal) -> Iterator[Rehearsal]:
    """A rehearsal whose source a test may break. Afterwards the first version is restored."""
    yield rehearsal
    rehearsal.environment.without = ()
    rehearsal.source.restore(rehearsal.first_commit)


@pytest.fixture(scope="module")
def artifacts(rehearsal: Rehearsal) -> str:
    """A bucket of artifacts."""
    rehearsal.environment.s3.make_bucket(BUCKET)
    return BUCKET


def fails(rehearsal: Rehearsal, what: str) -> str:
    """Deploy a broken version. The CLI must fail while the old version answers. Returns the reason."""
    before = rehearsal.environment.current
    rehearsal.source.commit(what)
    with steady_load(rehearsal.port) as load:
        done = rehearsal.deploy(what)
    assert done.status == 4, done.output
    assert "Failed to deploy application." in done.output
    load.require_none_lost()
    assert rehearsal.environment.current is before
    return reason(done)


def reason(done: CommandResult) -> str:
    """The reason of a failed deployment, from its events."""
    (line,) = [line for line in done.output.splitlines() if "Engine execution has encountered an error." in line]
    return line.partition("encountered an error. ")[2]


def set_property(rehearsal: Rehearsal, name: str, value: str) -> None:
    lines = [line for line in rehearsal.source.read(PROPERTIES).splitlines() if not line.strip().startswith(f"{name}:")]
    rehearsal.source.write(PROPERTIES, "\n".join([*lines, f'    {name}: "{value}"', ""]))


def damaged_copy(folder: Path, name: str, target: Path) -> Path:
    """A copy of ``folder`` with one changed byte in the middle of one file."""
    shutil.copytree(folder, target)
    data = bytearray((target / name).read_bytes())
    data[len(data) // 2] ^= 1
    (target / name).write_bytes(data)
    return target


def data_of(rehearsal: Rehearsal) -> Path:
    assert rehearsal.environment.current is not None
    return rehearsal.environment.current.data


def test_an_option_that_does_not_exist(broken: Rehearsal) -> None:
    broken.source.write(
        ".ebextensions/99-typo.config", 'option_settings:\n  aws:ec2:instances:\n    Type: "m5.2xlarge"\n'
    )
    said = fails(broken, "an unknown option")
    assert said == "Invalid option specification: aws:ec2:instances: Type is not a known option"


def test_a_requirement_that_does_not_exist(broken: Rehearsal) -> None:
    pins = broken.source.read("requirements.txt")
    missing = f"dermserve-there-is-no-such-package==9.9.9 --hash=sha256:{'0' * 64}"
    broken.source.write("requirements.txt", f"{pins}{missing}\n")
    said = fails(broken, "a requirement that does not exist")
    assert "No matching distribution found for dermserve-there-is-no-such-package==9.9.9" in said
    assert "Correct requirements.txt" in said


def test_a_hook_that_fails(broken: Rehearsal) -> None:
    script = "#!/bin/sh\necho 'the licence is missing: put it into the bucket' >&2\nexit 3\n"
    broken.source.write(".platform/hooks/predeploy/10_licence.sh", script, executable=True)
    said = fails(broken, "a hook that fails")
    assert said == "The hook predeploy/10_licence.sh failed: the licence is missing: put it into the bucket"


def test_a_model_that_cannot_be_fetched(broken: Rehearsal) -> None:
    broken.environment.without = (CLASSIFIER,)
    set_property(broken, "DERMSERVE_MODEL_SOURCES", "sklesion=s3://there-is-no-such-bucket/sklesion")
    said = fails(broken, "a model that cannot be fetched")
    assert "The model sklesion could not be fetched" in said
    assert "there-is-no-such-bucket" in said
    assert "Check DERMSERVE_MODEL_SOURCES" in said


def test_a_corrupt_model(broken: Rehearsal, artifacts: str, tmp_path: Path) -> None:
    (source,) = (data_of(broken) / CLASSIFIER).glob("*/source")
    broken.environment.s3.put_folder(artifacts, "sklesion", damaged_copy(source, "model.keras", tmp_path / "model"))
    broken.environment.without = (CLASSIFIER,)
    set_property(broken, "DERMSERVE_MODEL_SOURCES", f"sklesion=s3://{artifacts}/sklesion")
    said = fails(broken, "a corrupt model")
    assert "The model sklesion could not be fetched" in said
    assert "sha256" in said


def test_a_corrupt_index(broken: Rehearsal, artifacts: str, tmp_path: Path) -> None:
    damaged = damaged_copy(data_of(broken) / "index" / "sample", "index.faiss", tmp_path / "index")
    broken.environment.s3.put_folder(artifacts, "index", damaged)
    set_property(broken, "DERMSERVE_INDEX", f"s3://{artifacts}/index")
    said = fails(broken, "a corrupt index")
    assert f"The index s3://{artifacts}/index could not be fetched" in said
    assert "sha256" in said


def test_a_proxy_directive_that_is_there_twice(broken: Rehearsal) -> None:
    broken.source.write(".platform/nginx/conf.d/elasticbeanstalk/20_twice.conf", "client_body_timeout 300s;\n")
    said = fails(broken, "a duplicate directive")
    assert '"client_body_timeout" directive is duplicate' in said
    assert "20_twice.conf" in said


def test_a_crash_on_import(broken: Rehearsal) -> None:
    broken.source.write("application.py", "import dermserve_there_is_no_such_module\n")
    said = fails(broken, "a crash on import")
    assert "ModuleNotFoundError: No module named 'dermserve_there_is_no_such_module'" in said
    assert "web.stdout.log" in said


def test_the_fix_deploys_and_nobody_notices(rehearsal: Rehearsal) -> None:
    before = rehearsal.environment.current
    with steady_load(rehearsal.port) as load:
        done = rehearsal.deploy("the fix")
    assert done.status == 0, done.output
    load.require_none_lost()
    after = rehearsal.environment.current
    assert before is not None
    assert after is not None
    assert after.version != before.version == rehearsal.environment.records.version(before.version).label
    assert rehearsal.environment.records.deployed == after.version
