"""The Image Builder template, and the script of its component against a bundle in a folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from cfnlint.api import lint_file

from deploy.bundle.install import install
from tests.unit.deploy.bundles import DATA_FILES, files_below, new_instance, published
from tests.unit.deploy.hook_runner import ROOT, executable

TEMPLATE = ROOT / "deploy/image_builder/bundle_image.yaml"
#: in place of the AWS CLI: copies from a folder
FAKE_AWS = """#!/usr/bin/env bash
arguments=("$@")
for word in "${arguments[@]}"; do case $word in s3://*) origin=${word#s3://} ;; /*) target=$word ;; esac; done
if [[ " $* " != *" --recursive "* ]]; then cp "/$origin" "$target"; exit; fi
for ((n = 0; n < $#; n++)); do
    if [[ ${arguments[n]} == --include ]]; then cp "/$origin${arguments[n + 1]}" "$target"; fi
done
"""


def test_cfn_lint_accepts_the_template() -> None:
    assert lint_file(TEMPLATE) == []


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short functions as their arguments."""


_Loader.add_multi_constructor("!", lambda loader, _, node: loader.construct_scalar(node))


def commands(phase: str, values: dict[str, str]) -> str:
    """The script of one phase of the component."""
    # The file is part of the repository.
    template: dict[str, Any] = yaml.load(TEMPLATE.read_text(), _Loader)
    data = template["Resources"]["BundleComponent"]["Properties"]["Data"]
    for name, value in values.items():
        data = data.replace(name, value)
    (found,) = [one for one in yaml.safe_load(data)["phases"] if one["name"] == phase]
    return str(found["steps"][0]["inputs"]["commands"][0])


@pytest.fixture
def built(tmp_path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """A bundle on the disk of an image: the values of the template, and the environment of its scripts."""
    address = published(tmp_path)
    values = {
        "${AWS::Region}": "us-east-1",
        "${BundleBucket}/${BundlePrefix}": str(tmp_path / "bundles").lstrip("/"),
        "${BundleName}": Path(address).name,
        "/opt/dermserve/bundles": str(tmp_path / "image"),
    }
    (tmp_path / "bin").mkdir()
    executable(tmp_path / "bin/aws", FAKE_AWS)
    environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", commands("build", values)], env=environment, check=True)
    return values, environment


def test_an_instance_of_the_image_is_installed_from_its_disk(
    tmp_path: Path, built: tuple[dict[str, str], dict[str, str]]
) -> None:
    values, environment = built
    subprocess.run(["bash", "-c", commands("validate", values)], env=environment, check=True)
    instance = new_instance(tmp_path)
    install(f"{values['/opt/dermserve/bundles']}/{values['${BundleName}']}", instance, lambda _: None)
    assert files_below(instance.var) == DATA_FILES


def test_an_image_with_a_changed_file_is_not_made(tmp_path: Path, built: tuple[dict[str, str], dict[str, str]]) -> None:
    values, environment = built
    part = next((tmp_path / "image/parts").iterdir())
    part.write_bytes(part.read_bytes() + b"x")
    done = subprocess.run(
        ["bash", "-c", commands("validate", values)], env=environment, capture_output=True, check=False
    )
    assert done.returncode != 0
