"""The arithmetic of sizing with round numbers, and the probes that need no model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.ebextensions import all_settings, load
from deploy.sizing.measure import (
    IMPORTS,
    INDEX_VECTORS,
    Measured,
    Part,
    SizingError,
    WorkerCost,
    measure_import,
    measure_index,
)
from deploy.sizing.plan import (
    EXPECTED_MB,
    INSTANCES,
    MAX_INSTANCES,
    PINNED,
    Load,
    consider,
    index_mb,
    memory_gb,
    recommend,
    threads_for,
    throughput,
)
from deploy.sizing.report import as_json, as_text
from settings import Settings

ROOT = Path(__file__).resolve().parents[3]

WORKER = WorkerCost(
    private_mb=1000,
    shared_mb=500,
    pss_mb=1250,
    load_s=10,
    request_peak_mb=50,
    request_s=0.5,
    request_cpu_s=0.5,
    photo_mb=2.5,
)
MEASURED = Measured(
    python_mb=10,
    imports=tuple(Part(name, 100, 1) for name in IMPORTS),
    models=(Part("encoder", 100, 1),),
    index=Part("index of 10,000 vectors", 20, 0.1),
    worker=WORKER,
)
SMALL = Load(30, 10_000)
BY_NAME = {instance.name: instance for instance in INSTANCES}


def test_an_index_grows_with_its_vectors() -> None:
    assert index_mb(MEASURED, INDEX_VECTORS) == 20
    assert index_mb(MEASURED, 3 * INDEX_VECTORS) == 60


def test_memory_is_the_sum_of_its_parts() -> None:
    # 500 system + 500 shared + 20 index + 2 × 1000 own + 4 × 50 at the peaks
    assert memory_gb(MEASURED, SMALL, 2, 4) == pytest.approx(3220 / 1024)


def test_workers_share_the_index() -> None:
    large = Load(30, 500_000)
    for workers in (1, 2):
        grown = memory_gb(MEASURED, large, workers, 1) - memory_gb(MEASURED, SMALL, workers, 1)
        assert grown == pytest.approx((1000 - 20) / 1024)


def test_throughput_is_seventy_percent_of_the_cores() -> None:
    # half a second of CPU each: 120 a minute on one core
    assert throughput(MEASURED, 4) == pytest.approx(0.7 * 4 * 120)


@pytest.mark.parametrize(("at_once", "workers", "threads"), [(4, 2, 8), (8, 2, 14), (4, 1, 14), (1, 1, 5)])
def test_threads_include_running_waiting_and_spare(at_once: int, workers: int, threads: int) -> None:
    assert threads_for(at_once, workers) == threads


def test_ebextensions_match_the_plan_for_the_pinned_instance() -> None:
    settings = all_settings(ROOT)
    found = consider(MEASURED, SMALL, BY_NAME[PINNED])
    environment = "aws:elasticbeanstalk:application:environment"
    assert settings["aws:ec2:instances", "InstanceTypes"] == PINNED
    assert settings["aws:autoscaling:asg", "MaxSize"] == str(MAX_INSTANCES)
    assert settings[environment, "MAX_WORKERS"] == str(found.analyses_at_once)
    assert settings[environment, "GUNICORN_WORKERS"] == str(found.workers)
    assert settings[environment, "GUNICORN_THREADS"] == str(found.threads)


def test_every_choice_gives_valid_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for choice in recommend(MEASURED, SMALL)[1]:
        monkeypatch.setenv("MAX_WORKERS", str(choice.analyses_at_once))
        monkeypatch.setenv("GUNICORN_WORKERS", str(choice.workers))
        monkeypatch.setenv("GUNICORN_THREADS", str(choice.threads))
        settings = Settings.load()
        assert settings.admitted_per_worker > settings.running_per_worker


def test_the_cheapest_suitable_type_is_recommended() -> None:
    best, choices = recommend(MEASURED, SMALL)
    assert best is not None
    assert (best.instance.name, best.instances, best.dollars_a_month) == ("m5.xlarge", 2, 280)
    assert best.dollars_a_month == min(choice.dollars_a_month for choice in choices if not choice.objection)


def test_more_load_needs_more_instances() -> None:
    best, _ = recommend(MEASURED, Load(600, 10_000))  # 336 a minute on four cores
    assert best is not None
    assert (best.instance.name, best.instances, best.dollars_a_month) == ("c5.2xlarge", 3, 750)


def test_one_instance_may_fail_while_the_others_carry_the_load() -> None:
    for peak in (SMALL, Load(600, 10_000)):
        for choice in recommend(MEASURED, peak)[1]:
            assert (choice.instances - 1) * choice.requests_per_minute >= peak.requests_per_minute


def test_without_a_spare_instance_the_report_warns() -> None:
    alone = Load(30, 10_000, spare_instances=0)
    best, choices = recommend(MEASURED, alone)
    assert best is not None
    assert best.instances == 1
    assert "with no spare instance" in as_text(MEASURED, alone, best, choices)
    assert "with no spare instance" not in as_text(MEASURED, SMALL, *recommend(MEASURED, SMALL))


def test_the_saved_configuration_is_the_recommendation() -> None:
    best, _ = recommend(MEASURED, SMALL)
    assert best is not None
    saved = load(ROOT / ".elasticbeanstalk/recommended.cfg.yml")["OptionSettings"]
    given = all_settings(ROOT) | {(space, option): v for space, group in saved.items() for option, v in group.items()}
    environment = "aws:elasticbeanstalk:application:environment"
    assert given["aws:ec2:instances", "InstanceTypes"] == best.instance.name
    assert given["aws:autoscaling:asg", "MinSize"] == str(1 + SMALL.spare_instances)
    assert given[environment, "MAX_WORKERS"] == str(best.analyses_at_once)
    assert given[environment, "GUNICORN_WORKERS"] == str(best.workers)
    assert given[environment, "GUNICORN_THREADS"] == str(best.threads)


def test_a_graviton_vcpu_is_a_core_and_the_type_is_untried() -> None:
    assert (BY_NAME["m7g.2xlarge"].cores, BY_NAME["m7i.2xlarge"].cores) == (8, 4)
    untried = [choice for choice in recommend(MEASURED, SMALL)[1] if choice.instance.arm64]
    assert untried
    assert all("not tested" in str(choice.objection) for choice in untried)


@pytest.mark.parametrize(
    "name", ["m5.2xlarge", "c5.2xlarge", "r5.2xlarge", "m7i.2xlarge", "m7g.2xlarge", "c7g.2xlarge"]
)
def test_the_documented_sizes_and_prices_are_those_of_the_plan(name: str) -> None:
    page = (ROOT / "docs/deployment/sizing.md").read_text()
    instance = BY_NAME[name]
    (row,) = [line.split(" | ") for line in page.splitlines() if f" | {name} | " in line]
    assert row[2].startswith(f"{instance.vcpu} / {instance.memory_gb} GB")
    assert row[4] == f"{instance.dollars_a_month:,}"


def test_a_load_beyond_max_size_is_reported() -> None:
    best, choices = recommend(MEASURED, Load(100_000, 10_000))
    assert best is None
    assert all(choice.objection for choice in choices)
    assert "raise MaxSize" in as_text(MEASURED, Load(100_000, 10_000), best, choices)


def test_too_little_memory_is_an_objection() -> None:
    assert consider(MEASURED, SMALL, BY_NAME["t3.micro"]).objection == "more than 80% of its memory"
    huge = Load(30, 10_000_000)  # 20 GB of vectors
    objections = {choice.instance.name: choice.objection for choice in recommend(MEASURED, huge)[1]}
    assert objections["c5.2xlarge"] == "more than 80% of its memory"
    assert objections["m5.2xlarge"] is None


def test_slow_requests_are_an_objection() -> None:
    slow = replace(MEASURED, worker=replace(WORKER, request_s=5))
    assert "takes more than 10 s" in str(consider(slow, SMALL, BY_NAME[PINNED]).objection)


def test_gpus_are_never_recommended() -> None:
    assert all(choice.objection for choice in recommend(MEASURED, SMALL)[1] if choice.instance.gpu)


def test_the_report_compares_each_part_with_the_specification() -> None:
    best, choices = recommend(MEASURED, SMALL)
    text = as_text(MEASURED, SMALL, best, choices)
    for name in IMPORTS:
        (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
        assert line.split()[1:] == ["100", "1.0", EXPECTED_MB[name]]
    settings = "MAX_WORKERS=2 GUNICORN_WORKERS=2 GUNICORN_THREADS=5 MinSize=2"
    assert f"recommended: 2 × m5.xlarge, $280 per month: {settings}" in text


def test_the_json_can_be_read_back() -> None:
    found = json.loads(json.dumps(as_json(MEASURED, SMALL, *recommend(MEASURED, SMALL))))
    assert found["recommended"]["instance"]["name"] == "m5.xlarge"
    assert len(found["considered"]) == len(INSTANCES)
    assert found["measured"]["worker"]["private_mb"] == 1000


def test_a_framework_is_measured() -> None:
    opencv = measure_import("opencv")
    assert 5 < opencv.mb < 1000
    assert opencv.seconds > 0


def test_index_memory_is_the_size_of_its_floats() -> None:
    # 20,000 vectors of 512 floats are 39 MiB; the rest is faiss's own.
    assert 39 <= measure_index(20_000).mb < 60


def test_a_failed_probe_is_named() -> None:
    with pytest.raises(SizingError, match="import nonsense"):
        measure_import("nonsense")
