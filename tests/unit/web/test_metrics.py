"""What a worker counts, and what becomes of it when workers end or the disk is full."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from ml.values import IndexInfo, ModelCard
from tests.unit.web.exposition import Samples, samples
from web.errors import STATUS, UnavailableError
from web.metrics import STAGES, Metrics, forget

ROOT = Path(__file__).resolve().parents[3]
ANALYZE = "/api/analyze/skin"
INDEX = IndexInfo("sample", "synthetic", True, 3, 3, 512, "2026-01-01", {})
CARD = ModelCard("encoder", "1", "torch", "native", "MIT")


@pytest.fixture
def make_worker(tmp_path: Path) -> Callable[[int], Metrics]:
    """Metrics of the worker with this number, in the folder that all of them share."""
    return lambda number: Metrics(tmp_path, number)


def seen_by(worker: Metrics) -> Samples:
    return samples(worker.page({})[0])


def test_any_worker_tells_what_all_have_counted(make_worker: Callable[[int], Metrics]) -> None:
    first = make_worker(0)
    first.request(ANALYZE, 200)
    first.shed()
    first.stages({"decode": 4.0, "total": 300.0, "mock": 1.0})
    first.load(2, 1)
    second = make_worker(1)
    second.request(ANALYZE, 200)
    second.request(ANALYZE, 503)
    second.client_gone()
    second.stages({"decode": 6.0})
    second.load(1, 1)
    found = seen_by(first)
    assert found == seen_by(second)
    assert found["dermserve_requests_total", (ANALYZE, "200")] == 2
    assert found["dermserve_requests_total", (ANALYZE, "503")] == 1
    assert found["dermserve_shed_total", ()] == found["dermserve_client_gone_total", ()] == 1
    assert (found["dermserve_waiting", ()], found["dermserve_running", ()]) == (3, 2)
    assert found["dermserve_stage_seconds_count", ("decode",)] == 2
    assert found["dermserve_stage_seconds_sum", ("decode",)] == pytest.approx(0.010)
    assert found["dermserve_stage_seconds_bucket", ("0.005", "decode")] == 1
    assert found["dermserve_stage_seconds_bucket", ("0.25", "total")] == 0
    assert found["dermserve_stage_seconds_bucket", ("0.5", "total")] == 1
    assert {labels[-1] for name, labels in found if name == "dermserve_stage_seconds_sum"} <= set(STAGES)


def test_a_dead_worker_s_counts_stay_and_what_it_held_does_not(
    make_worker: Callable[[int], Metrics], tmp_path: Path
) -> None:
    dead = make_worker(0)
    dead.request(ANALYZE, 200)
    dead.load(3, 1)
    dead.loaded([CARD], INDEX)
    forget(tmp_path, 0)
    other = make_worker(1)
    found = seen_by(other)
    assert found["dermserve_requests_total", (ANALYZE, "200")] == 1
    assert (found["dermserve_waiting", ()], found["dermserve_running", ()]) == (0, 0)
    assert not [name for name, _ in found if name.endswith("_info")]


def test_the_next_worker_of_that_number_goes_on_counting_in_the_same_files(
    make_worker: Callable[[int], Metrics], tmp_path: Path
) -> None:
    for _ in range(3):
        worker = make_worker(0)
        worker.request(ANALYZE, 200)
        worker.stages({"total": 1.0})
        files = sorted(tmp_path.rglob("*.db"))
        forget(tmp_path, 0)
    found = seen_by(make_worker(0))
    assert found["dermserve_requests_total", (ANALYZE, "200")] == 3
    assert found["dermserve_stage_seconds_count", ("total",)] == 3
    assert sorted(tmp_path.rglob("*.db")) == files


def test_what_is_loaded_is_told(make_worker: Callable[[int], Metrics]) -> None:
    for number in (0, 1):
        make_worker(number).loaded([CARD], INDEX)
    found = seen_by(make_worker(2))
    assert found["dermserve_model_info", ("native", "torch", "encoder", "1")] == 1
    assert found["dermserve_index_info", ("2026-01-01", "synthetic", "sample", "true")] == 1


def test_all_room_on_the_disk_is_taken_beforehand(
    make_worker: Callable[[int], Metrics], tmp_path: Path, client: FlaskClient
) -> None:
    worker = make_worker(0)
    before = {path: path.stat().st_size for path in tmp_path.rglob("*.db")}
    assert all(path.stat().st_blocks * 512 >= size for path, size in before.items())
    for rule in [*client.application.url_map.iter_rules(), "none"]:
        for status in {row[0] for row in STATUS.values()} | {200, 204, 301, 304, 308, 404, 405, 408, 431}:
            worker.request(str(rule), status)
    worker.stages(dict.fromkeys(STAGES, 1.0))
    worker.load(1, 1)
    for number in range(20):
        worker.loaded([ModelCard(f"a-model-of-name-{number}", "1.2.3-" + 64 * "f", "pytorch", "native", "MIT")], INDEX)
    assert worker.kept
    assert {path: path.stat().st_size for path in tmp_path.rglob("*.db")} == before


def count_everything(metrics: Metrics) -> None:
    metrics.request(ANALYZE, 200)
    metrics.stages({"total": 1.0})
    metrics.shed()
    metrics.client_gone()
    metrics.load(1, 1)
    metrics.loaded([CARD], INDEX)


def test_without_room_nothing_is_counted_and_nothing_fails(
    make_worker: Callable[[int], Metrics], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "metrics").write_text("a file where the folder should be")
    metrics = make_worker(0)
    count_everything(metrics)
    assert caplog.messages == ["metrics_off"]
    with pytest.raises(UnavailableError):
        metrics.page({})


FULL = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
from web.metrics import Metrics
metrics = Metrics(Path(sys.argv[1]), 1)
metrics.request("/", 200)
print(metrics.kept)
"""


def test_a_worker_without_room_for_its_files_lives_and_spoils_the_page(
    make_worker: Callable[[int], Metrics], tmp_path: Path
) -> None:
    sibling = make_worker(0)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "False"
    with pytest.raises(UnavailableError):  # it would tell of the sibling alone
        sibling.page({})


def test_a_folder_that_vanishes_fails_the_page_alone(make_worker: Callable[[int], Metrics], tmp_path: Path) -> None:
    metrics = make_worker(0)
    for path in (tmp_path / "metrics").iterdir():
        path.unlink()
    (tmp_path / "metrics").rmdir()
    count_everything(metrics)
    with pytest.raises(UnavailableError):
        metrics.page({})
