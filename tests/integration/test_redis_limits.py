"""Rate limits that a real Redis counts for all workers, and what becomes of them while it does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from redis import Redis

from server.instance import this_process
from settings import Settings
from tests.integration.redis_fixture import RedisServer, running_redis
from tests.waiting import wait_until
from web.app import create_app

ANALYZE = "/api/analyze/skin"
KEY = "0123456789abcdef"
CAPABILITY = {"test": "ml_capability"}


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path) as running:
        yield running


def worker(tmp_path: Path, redis: RedisServer, **settings: object) -> FlaskClient:
    """One worker process of a service that counts in ``redis``; models are not needed for what is refused before."""
    common = {"var": tmp_path, "use_mock_services": True, "flask_env": "testing", "rate_limit_storage": redis.url}
    chosen = Settings(**{**common, **settings})
    app = create_app(chosen, this_process(chosen))
    services = app.extensions["dermserve"]
    services.start()
    wait_until(lambda: services.state.value == "ready", limit_s=30)
    return app.test_client()


def ask(client: FlaskClient, **headers: str) -> int:
    return client.post(ANALYZE, json=CAPABILITY, headers=headers).status_code


def test_a_limit_is_exact_over_all_workers(tmp_path: Path, redis: RedisServer) -> None:
    workers = [worker(tmp_path, redis, rate_limit="10/hour", gunicorn_workers=2) for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        turns = [workers[n % 2].application.test_client() for n in range(30)]
        found = list(pool.map(post_photo, turns))
    assert (found.count(429), len(found)) == (20, 30)


def post_photo(client: FlaskClient) -> int:
    """No photo, so that nothing is computed: what counts is whether it is refused before that is seen."""
    return client.post(ANALYZE, data=b"no photo", content_type="image/jpeg").status_code


def test_neither_keys_nor_more_than_their_names_are_kept(tmp_path: Path, redis: RedisServer) -> None:
    client = worker(tmp_path, redis, rate_limit="2/hour", api_keys=(KEY,))
    assert [ask(client, X_API_Key="wrong-key-of-someone"), ask(client, X_API_Key=KEY)] == [401, 200]
    with Redis(port=redis.port) as inside:
        names = [name.decode() for name in inside.keys("*")]
        assert len(names) == 2
        assert not [name for name in names if KEY in name or "wrong-key" in name]
        assert all(0 < inside.ttl(name) <= 3600 for name in names), "and they go by themselves"


@pytest.mark.parametrize("fault", ["stop", "freeze"])
def test_without_its_redis_the_service_goes_on_and_counts_for_itself(
    fault: str, tmp_path: Path, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    client = worker(tmp_path, redis, rate_limit="6/hour", gunicorn_workers=2)
    assert ask(client) == 200
    getattr(redis, fault)()
    assert [ask(client) for _ in range(4)] == [200, 200, 200, 429], "three: its part of the limit"
    assert "storage unreachable" in caplog.text
    assert client.get("/health").status_code == 200
    redis.thaw() if fault == "freeze" else redis.start()
    wait_until(lambda: ask(client) == 200, limit_s=30)


def test_a_service_starts_without_its_redis(tmp_path: Path, redis: RedisServer) -> None:
    redis.stop()
    client = worker(tmp_path, redis, rate_limit="2/hour", gunicorn_workers=1)
    assert [ask(client) for _ in range(3)] == [200, 200, 429]
