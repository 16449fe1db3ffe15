from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from ml.deadline import Deadline
from ml.errors import ArtifactError, DeadlineExceededError
from web.errors import NotReadyError, UnavailableError
from web.process import State
from web.services import Services

Make = Callable[..., Services]


def test_models_and_index_are_loaded_in_the_background_and_once(make_services: Make, fake_loader: Any) -> None:
    loader, announced = fake_loader(), []
    services = make_services(loader)
    for _ in range(3):
        services.start(lambda: announced.append(True))
    services.pipeline(Deadline(30))
    services.pipeline(Deadline(30))
    assert loader.loaded == ["models", "index"]
    assert services.state is State.READY


def test_the_last_worker_announces_the_instance(make_services: Make) -> None:
    announced = threading.Event()
    make_services().start(announced.set)
    assert announced.wait(30)


def test_an_instance_that_was_never_ready_refuses_while_it_loads(make_services: Make, fake_loader: Any) -> None:
    go = threading.Event()
    services = make_services(fake_loader(wait=lambda: go.wait(30)))
    services.start()
    with pytest.raises(NotReadyError) as caught:
        services.refuse_if_unable()
    assert caught.value.retry_after_s
    go.set()
    services.pipeline(Deadline(30))
    services.refuse_if_unable()


def test_a_worker_that_loads_again_holds_its_requests(make_services: Make, fake_loader: Any) -> None:
    go = threading.Event()
    services = make_services(fake_loader(wait=lambda: go.wait(30)))
    services.process.readiness.publish(State.READY)
    services.start()
    services.refuse_if_unable()
    with pytest.raises(DeadlineExceededError) as caught:
        services.pipeline(Deadline(0))
    assert caught.value.details["stage"] == "loading"
    go.set()
    assert services.pipeline(Deadline(30))


def test_a_late_index_is_loaded_at_the_first_request(make_services: Make, fake_loader: Any) -> None:
    loader, ready = fake_loader(), threading.Event()
    services = make_services(loader, preload_faiss=False)
    services.start(ready.set)
    assert ready.wait(30)
    assert loader.loaded == ["models"]
    services.pipeline(Deadline(30))
    assert loader.loaded == ["models", "index"]


def test_a_request_does_not_wait_longer_for_an_index_that_another_request_loads(
    make_services: Make, fake_loader: Any
) -> None:
    services = make_services(fake_loader(), preload_faiss=False)
    services.start()
    assert services._loaded.wait(30)
    deadline = Deadline(0.05)
    deadline.check = lambda stage: None  # type: ignore[method-assign]  # the lock was refused just before the end
    with services._pipeline_lock, pytest.raises(DeadlineExceededError):
        services.pipeline(deadline)


def test_a_late_index_that_fails_is_tried_again(make_services: Make, fake_loader: Any) -> None:
    loader = fake_loader(fail_index=ArtifactError("cases.parquet is missing"))
    services = make_services(loader, preload_faiss=False)
    services.start()
    with pytest.raises(UnavailableError) as caught:
        services.pipeline(Deadline(30))
    assert "parquet" not in caught.value.message
    loader.fail_index = None
    assert services.pipeline(Deadline(30))


@pytest.mark.parametrize("where", ["fail_models", "fail_index"])
@pytest.mark.parametrize(
    ("error", "reason"), [(ArtifactError("model.bin is altered"), "model.bin is altered"), (OSError("x"), "OSError")]
)
def test_a_worker_that_cannot_load_says_why_and_refuses(
    where: str,
    error: Exception,
    reason: str,
    make_services: Make,
    fake_loader: Any,
) -> None:
    services = make_services(fake_loader(**{where: error}))
    services.start()
    with pytest.raises(UnavailableError):
        services.pipeline(Deadline(30))
    assert (services.state, services.reason) == (State.FAILED, reason)
    with pytest.raises(UnavailableError):
        services.refuse_if_unable()


def test_a_switched_off_service_loads_nothing(make_services: Make, fake_loader: Any) -> None:
    loader = fake_loader()
    services = make_services(loader, ml_available=False)
    services.start()
    with pytest.raises(UnavailableError) as caught:
        services.refuse_if_unable()
    assert caught.value.retry_after_s is None
    assert loader.loaded == []
    assert not services.process.readiness.instance().ready
