"""The platform's part in secrets, against moto's Secrets Manager and Parameter Store over a socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from deploy.allowlist import SECRETS, objection
from deploy.rehearsal.progress import DeployError
from deploy.rehearsal.secret_store import SecretStore


@pytest.fixture(scope="module")
def store() -> Iterator[SecretStore]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield SecretStore(f"http://{host}:{port}")
    server.stop()


def test_secrets_and_parameters_are_fetched_by_arns_that_the_platform_accepts(store: SecretStore) -> None:
    arns = {
        "DERMSERVE_API_KEYS": store.put_secret("dermserve/api-keys", "first-key-0123456789"),
        "DERMSERVE_RATE_LIMIT_STORAGE": store.put_parameter("/dermserve/storage", "rediss://:secret@redis:6379/0"),
    }
    assert [objection(SECRETS, variable, arn) for variable, arn in arns.items()] == [None, None]
    assert store.fetch_all(arns) == {
        "DERMSERVE_API_KEYS": "first-key-0123456789",
        "DERMSERVE_RATE_LIMIT_STORAGE": "rediss://:secret@redis:6379/0",
    }


def test_a_new_value_has_the_same_arn(store: SecretStore) -> None:
    first = store.put_secret("dermserve/rotated", "old")
    assert store.put_secret("dermserve/rotated", "new") == first
    assert store.fetch_all({"X": first}) == {"X": "new"}
    parameter = store.put_parameter("/dermserve/rotated", "old")
    assert store.put_parameter("/dermserve/rotated", "new") == parameter
    assert store.fetch_all({"X": parameter}) == {"X": "new"}


def test_one_field_of_a_secret_in_json(store: SecretStore) -> None:
    arn = store.put_secret("dermserve/json", '{"keys": "a,b", "count": 2}')
    assert store.fetch_all({"X": f"{arn}:keys", "Y": f"{arn}:count"}) == {"X": "a,b", "Y": "2"}


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:dermserve/missing-AbCd12",
        "arn:aws:ssm:us-east-1:123456789012:parameter/dermserve/missing",
    ],
)
def test_a_missing_secret_names_the_variable_and_the_remedy(store: SecretStore, arn: str) -> None:
    with pytest.raises(DeployError, match=r"secret of DERMSERVE_API_KEYS cannot be fetched.*instance profile"):
        store.fetch_all({"DERMSERVE_API_KEYS": arn})
