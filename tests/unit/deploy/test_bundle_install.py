"""A new instance and its bundle: everything of it is installed, or nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.bundle.contents import MANIFEST_FILE, BundleError, Platform, platform_here
from deploy.bundle.install import MARK, Instance, install, main
from tests.unit.deploy.bundles import (
    CPU_REQUIREMENTS,
    DATA_FILES,
    PACKAGE,
    REPOSITORY_REQUIREMENTS,
    SITE,
    contents_of,
    files_below,
    new_instance,
    published,
)


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return new_instance(tmp_path)


def installed(address: str, instance: Instance) -> list[str]:
    lines: list[str] = []
    install(address, instance, lines.append)
    return lines


def state(instance: Instance) -> dict[str, bytes]:
    """All files that an installation may change."""
    root = instance.requirements.parent
    return {name: data for name, data in files_below(root).items() if not name.startswith(("made/", "bundles/"))}


def part_file(tmp_path: Path, path: str) -> Path:
    contents, _ = contents_of(tmp_path / "made")
    (part,) = [part for part in contents.parts if part.path == path]
    return tmp_path / "bundles/parts" / part.sha256


def test_packages_models_and_index_are_installed(tmp_path: Path, instance: Instance) -> None:
    installed(published(tmp_path), instance)
    assert instance.prefix is not None
    assert files_below(instance.var) == DATA_FILES
    own = files_below(instance.prefix)
    assert own[f"{SITE}/tool/__init__.py"] == PACKAGE[f"{SITE}/tool/__init__.py"]
    assert own["bin/tool"].decode().splitlines()[0] == f"#!{instance.prefix}/bin/python"
    assert (instance.prefix / "bin/tool").stat().st_mode & 0o111
    assert [path.name for path in instance.prefix.iterdir() if path.name.startswith(".")] == []


def test_pip_installs_what_the_bundle_was_made_of_and_asks_no_registry(tmp_path: Path, instance: Instance) -> None:
    installed(published(tmp_path), instance)
    assert instance.requirements.read_bytes() == CPU_REQUIREMENTS
    lines = instance.pip_conf.read_text().splitlines()
    assert lines[0] == MARK
    assert "no-index = true" in lines


def test_a_second_installation_needs_no_part(tmp_path: Path, instance: Instance) -> None:
    address = published(tmp_path)
    installed(address, instance)
    before = state(instance)
    for name in ("packages-0.tar.gz", *DATA_FILES):
        part_file(tmp_path, name).unlink()
    assert "the packages are installed already" in installed(address, instance)
    assert state(instance) == before


def test_a_model_of_another_version_of_the_bundle_is_replaced_as_a_whole(tmp_path: Path, instance: Instance) -> None:
    old = instance.var / "models/one/1.0"
    (old / "source").mkdir(parents=True)
    (old / "source/weights").write_bytes(b"old")
    (old / "manifest.json").write_bytes(b"old")
    installed(published(tmp_path), instance)
    assert files_below(instance.var) == DATA_FILES


def test_an_environment_that_is_not_new_gets_wheels(tmp_path: Path, instance: Instance) -> None:
    assert instance.prefix is not None
    (instance.prefix / SITE / "tool-0.9.dist-info").mkdir()
    installed(published(tmp_path), instance)
    assert not (instance.prefix / SITE / "tool").exists()
    wheelhouse = instance.var / "bundle/wheels"
    assert [path.name for path in wheelhouse.iterdir()] == ["tool-1.0-py3-none-any.whl"]
    assert f"find-links = {wheelhouse}" in instance.pip_conf.read_text()


def test_without_an_environment_pip_gets_wheels(tmp_path: Path, instance: Instance) -> None:
    installed(published(tmp_path), replace(instance, prefix=None))
    assert (instance.var / "bundle/wheels/tool-1.0-py3-none-any.whl").is_file()


def test_without_wheels_the_environment_must_be_new(tmp_path: Path, instance: Instance) -> None:
    with pytest.raises(BundleError, match="no wheels"):
        install(published(tmp_path, wheels=False), replace(instance, prefix=None), print)


@pytest.mark.parametrize("path", ["packages-0.tar.gz", "index/sample/index.faiss", "requirements.txt"])
@pytest.mark.parametrize("damage", ["one byte", "missing", "cut"])
def test_a_damaged_part_changes_nothing_and_is_named(
    tmp_path: Path, instance: Instance, path: str, damage: str
) -> None:
    address = published(tmp_path)
    file = part_file(tmp_path, path)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(data if damage == "one byte" else data[:-1])
    before = state(instance)
    problem = "is missing" if damage == "missing" else "does not match its sha256"
    with pytest.raises(BundleError, match=re.escape(f"{path} (part {file.name[:12]}…) {problem}")):
        install(address, instance, print)
    assert state(instance) == before


def test_a_failure_is_one_warning_with_its_reason(
    tmp_path: Path, instance: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    address = published(tmp_path)
    part_file(tmp_path, "index/sample/index.faiss").unlink()
    where = ["--var", str(instance.var), "--requirements", str(instance.requirements)]
    assert main([address, *where, "--pip-conf", str(instance.pip_conf)]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("bundle: WARNING: DERMSERVE_BUNDLE is not used: index/sample/index.faiss (part ")


def test_a_changed_manifest_is_refused(tmp_path: Path, instance: Instance) -> None:
    address = published(tmp_path)
    manifest = Path(address, MANIFEST_FILE)
    facts = json.loads(manifest.read_text())
    facts["parts"][0]["sha256"] = "0" * 64
    manifest.write_text(json.dumps(facts))
    with pytest.raises(BundleError, match="does not match the sha256"):
        install(address, instance, print)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"python": "3.99"}, r"for Python 3\.99"),
        ({"machine": "aarch99"}, "on aarch99"),
        ({"glibc": "9.9"}, r"needs glibc 9\.9"),
    ],
)
def test_another_platform_is_refused(tmp_path: Path, instance: Instance, change: dict[str, str], reason: str) -> None:
    platform: Platform = replace(platform_here(), **change)
    before = state(instance)
    with pytest.raises(BundleError, match=reason):
        install(published(tmp_path, platform=platform), instance, print)
    assert state(instance) == before


def test_a_bundle_for_other_requirements_is_refused(tmp_path: Path, instance: Instance) -> None:
    instance.requirements.write_bytes(REPOSITORY_REQUIREMENTS + b"another==1.0\n")
    with pytest.raises(BundleError, match=r"made for another requirements\.txt"):
        install(published(tmp_path), instance, print)


def test_a_pip_configuration_of_the_operator_is_left_alone(tmp_path: Path, instance: Instance) -> None:
    instance.pip_conf.write_text("[global]\nindex-url = https://own.example\n")
    before = state(instance)
    with pytest.raises(BundleError, match="settings of its own"):
        install(published(tmp_path), instance, print)
    assert state(instance) == before


def test_packages_that_cannot_be_moved_leave_the_environment_as_it_was(tmp_path: Path, instance: Instance) -> None:
    assert instance.prefix is not None
    (instance.prefix / "bin/tool").write_text("something else")
    before = files_below(instance.prefix)
    with pytest.raises(BundleError, match="there already"):
        install(published(tmp_path), instance, print)
    assert files_below(instance.prefix) == before
    assert not instance.pip_conf.exists()
    assert instance.requirements.read_bytes() == REPOSITORY_REQUIREMENTS


SETUPTOOLS = {
    f"{SITE}/setuptools/__init__.py": b"old",
    f"{SITE}/_distutils_hack/__init__.py": b"old",
    f"{SITE}/setuptools-65.0.dist-info/RECORD": (
        b"setuptools/__init__.py,,\n_distutils_hack/__init__.py,,\n../../../bin/easy,,\n"
    ),
    "bin/easy": b"old",
}
NEW_SETUPTOOLS = {
    f"{SITE}/setuptools/__init__.py": b"new",
    f"{SITE}/_distutils_hack/__init__.py": b"new",
    f"{SITE}/setuptools-82.0.dist-info/METADATA": b"",
}


@pytest.mark.parametrize("fails", [False, True])
def test_the_environments_own_setuptools_is_replaced(tmp_path: Path, instance: Instance, fails: bool) -> None:
    """A new environment has setuptools, and a package may require another version."""
    assert instance.prefix is not None
    for name, data in SETUPTOOLS.items():
        (instance.prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (instance.prefix / name).write_bytes(data)
    address = published(tmp_path, package=PACKAGE | NEW_SETUPTOOLS)
    if not fails:
        installed(address, instance)
        own = files_below(instance.prefix)
        assert own.keys() & (SETUPTOOLS | NEW_SETUPTOOLS).keys() == NEW_SETUPTOOLS.keys()
        assert own[f"{SITE}/setuptools/__init__.py"] == b"new"
        return
    (instance.prefix / "bin/tool").write_text("something else")
    before = files_below(instance.prefix)
    with pytest.raises(BundleError, match="there already"):
        install(address, instance, print)
    assert files_below(instance.prefix) == before


def test_an_archive_cannot_write_outside_the_environment(tmp_path: Path, instance: Instance) -> None:
    address = published(tmp_path, package=PACKAGE | {"../../escaped": b"x"})
    with pytest.raises(BundleError, match="cannot be unpacked"):
        install(address, instance, print)
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize("address", ["", "/a/folder", "s3://bucket/dermserve-12", "gs://bucket/dermserve-" + "0" * 64])
def test_what_is_no_address_of_a_bundle(instance: Instance, address: str) -> None:
    with pytest.raises(BundleError, match="address"):
        install(address, instance, print)
