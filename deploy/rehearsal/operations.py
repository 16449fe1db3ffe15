"""Plays of operations on a running environment: no request may be lost in any of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psutil

from deploy.rehearsal.checks import (
    JPEG,
    Load,
    analyse,
    deploy_or_fail,
    expect,
    require_success,
    steady_load,
)
from deploy.rehearsal.client import skin_photo
from deploy.rehearsal.progress import CheckError
from deploy.rehearsal.rehearsal import Rehearsal

_SCALING = ".ebextensions/20-scaling.config"
_VARIABLES = ".ebextensions/60-environment.config"
_SECRETS_EXAMPLE = ".ebextensions/94-secrets.config.example"
_SECRETS = ".ebextensions/94-secrets.config"
_OLD_KEY, _NEW_KEY = "rehearsed-old-key-000001", "rehearsed-new-key-000002"
_STORAGE = "redis://:rehearsed-password@127.0.0.1:9/0"
_MODELS_BUCKET = "rehearsed-models"
#: seconds of requests after an operation has ended
_AFTERWARDS_S = 5


def rollback(rehearsal: Rehearsal) -> None:
    """`eb deploy --version LABEL` returns to an earlier version. Raises CheckError."""
    earlier = rehearsal.environment.records.deployed
    with _no_loss(rehearsal):
        rehearsal.source.write("docs/rehearsed.md", "A version that has to be taken back.\n")
        rehearsal.source.commit("A version that has to be taken back")
        deploy_or_fail(rehearsal, "a version that has to be taken back")
        deploy_or_fail(rehearsal, "roll back", label=earlier)
    _require(rehearsal.environment.records.deployed == earlier, f"{earlier} was not deployed again")
    for instance in rehearsal.environment.instances:
        returned = not (instance.current / "docs/rehearsed.md").exists()
        _require(returned, f"{instance.name} has files of the later version")


def setenv(rehearsal: Rehearsal) -> None:
    """`eb setenv` restarts two instances one after the other. Raises CheckError."""
    _run_two_instances(rehearsal)
    _require_variable(rehearsal, "DERMSERVE_LOG_LEVEL", None)
    with _no_loss(rehearsal):
        require_success(rehearsal.setenv("DERMSERVE_LOG_LEVEL=WARNING"), "eb setenv")
        _require_variable(rehearsal, "DERMSERVE_LOG_LEVEL", "WARNING")
        require_success(rehearsal.setenv("DERMSERVE_LOG_LEVEL="), "eb setenv")
        _require_variable(rehearsal, "DERMSERVE_LOG_LEVEL", None)


def secret(rehearsal: Rehearsal) -> None:
    """API keys and the address of Redis come from secrets, and the key is rotated. Raises CheckError."""
    store, photo, port = rehearsal.environment.secrets, skin_photo(), rehearsal.port
    arns = {
        "DERMSERVE_API_KEYS": store.put_secret("dermserve/api-keys", _OLD_KEY),
        "DERMSERVE_RATE_LIMIT_STORAGE": store.put_parameter("/dermserve/rate-limit-storage", _STORAGE),
    }
    _set_instances(rehearsal, 2)
    rehearsal.source.write(_SECRETS, _with_arns(rehearsal.source.read(_SECRETS_EXAMPLE), arns))
    rehearsal.source.commit("Take the API keys from a secret")
    with _no_loss(rehearsal, _with_key(_OLD_KEY)):
        deploy_or_fail(rehearsal, "an environment with secrets")
    _require_variable(rehearsal, "DERMSERVE_API_KEYS", _OLD_KEY)
    _require_variable(rehearsal, "DERMSERVE_RATE_LIMIT_STORAGE", _STORAGE)
    expect(analyse(port, photo), 401)
    with _no_loss(rehearsal, _with_key(_OLD_KEY)) as load:
        # Until the servers are restarted, they know only the old key. Then both, so that callers have time to change.
        store.put_secret("dermserve/api-keys", f"{_OLD_KEY},{_NEW_KEY}")
        expect(analyse(port, photo, _with_key(_NEW_KEY)), 401)
        rehearsal.restart_app_server()
        load.headers = _with_key(_NEW_KEY)
        store.put_secret("dermserve/api-keys", _NEW_KEY)
        rehearsal.restart_app_server()
    expect(analyse(port, photo, _with_key(_NEW_KEY)), 200)
    expect(analyse(port, photo, _with_key(_OLD_KEY)), 401)


def cold_fetch(rehearsal: Rehearsal) -> None:
    """A new instance with an empty data folder fetches its models from a bucket. Raises CheckError."""
    environment = rehearsal.environment
    served = environment.instances[0]
    environment.s3.make_bucket(_MODELS_BUCKET)
    names = []
    for version in sorted((served.data / "models").glob("*/*/")):
        name, downloaded = version.parent.name, version / "source"
        environment.s3.put_folder(_MODELS_BUCKET, name, downloaded if downloaded.is_dir() else version)
        names.append(name)
    pairs = " ".join(f"{name}=s3://{_MODELS_BUCKET}/{name}" for name in names)
    text = rehearsal.source.read(_VARIABLES)
    rehearsal.source.write(_VARIABLES, f'{text}    DERMSERVE_MODEL_SOURCES: "{pairs}"\n')
    rehearsal.source.commit("Fetch the models from a bucket")
    environment.without = ("models", "index")
    try:
        with _no_loss(rehearsal):
            deploy_or_fail(rehearsal, "an instance without models and index")
    finally:
        environment.without = ()


@contextmanager
def _no_loss(rehearsal: Rehearsal, headers: Mapping[str, str] = JPEG) -> Iterator[Load]:
    """One request a second during the block and a few seconds longer. Raises CheckError if one is lost."""
    with steady_load(rehearsal.port, headers) as load:
        yield load
        threading.Event().wait(_AFTERWARDS_S)
    rehearsal.progress.report(f"  {load}")
    load.require_none_lost()


def _run_two_instances(rehearsal: Rehearsal) -> None:
    _set_instances(rehearsal, 2)
    rehearsal.source.commit("Run at least two instances")
    if len(rehearsal.environment.instances) != 2:
        with _no_loss(rehearsal):
            deploy_or_fail(rehearsal, "two instances")


def _set_instances(rehearsal: Rehearsal, count: int) -> None:
    rehearsal.source.replace(_SCALING, 'MinSize: "1"', f'MinSize: "{count}"')


def _with_arns(example: str, arns: Mapping[str, str]) -> str:
    """The example with the ARN of each variable."""
    lines = []
    for line in example.splitlines():
        variable = line.strip().partition(":")[0]
        lines.append(f'    {variable}: "{arns[variable]}"' if variable in arns else line)
    return "\n".join([*lines, ""])


def _with_key(key: str) -> dict[str, str]:
    return JPEG | {"X-API-Key": key}


def _require_variable(rehearsal: Rehearsal, name: str, value: str | None) -> None:
    """Raises CheckError unless the server of each instance has this value, or does not have the variable."""
    for instance in rehearsal.environment.instances:
        has = psutil.Process(instance.web.pid).environ().get(name) if instance.web else None
        _require(has == value, f"the server of {instance.name} has another {name}")


def _require(fact: bool, otherwise: str) -> None:
    if not fact:
        raise CheckError(otherwise)
