"""A build whose process is killed, again and again, and goes on."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.unit.scin.scin_folder import case, label, write_photo, write_tables

PHOTOS, KILLS = 160, 5


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Single-photo cases; each tenth photo is a copy of one far before it, two cannot be decoded, one is missing."""
    rows = [case(str(n), f"{n}.png") for n in range(PHOTOS)]
    labels = [label(str(n), {f"Condition {n % 7}": 1.0}) for n in range(PHOTOS)]
    folder = write_tables(tmp_path_factory.mktemp("killed") / "dataset", rows, labels)
    for n in range(PHOTOS):
        write_photo(folder, f"{n}.png", seed=n, width=320, height=240)
    images = folder / "images"
    for n in range(100, PHOTOS, 10):
        shutil.copy(images / f"{n - 93}.png", images / f"{n}.png")
    for n in (31, 142):
        (images / f"{n}.png").write_bytes((images / f"{n}.png").read_bytes()[:200])
    (images / "77.png").unlink()
    return folder


@contextmanager
def running(dataset: Path, out: Path) -> Iterator[subprocess.Popen[str]]:
    """A build in a process of its own, once it has imported everything."""
    command = [sys.executable, "-m", "tests.unit.scin.killable_build", str(dataset), str(out)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        yield process


def is_killed_within(seconds: float, dataset: Path, out: Path) -> bool:
    """Whether it was still at work after so long."""
    with running(dataset, out) as process:
        try:
            assert process.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            process.kill()
    return process.returncode < 0


def finish(dataset: Path, out: Path) -> float:
    """Seconds that it took."""
    with running(dataset, out) as process:
        began = time.monotonic()
        assert process.wait(120) == 0
    return time.monotonic() - began


def shards(out: Path) -> dict[str, tuple[int, bytes]]:
    """What is done, by file: when it was written, and what."""
    found = out.with_name(f"{out.name}.shards").glob("*.parquet")
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_five_kills_at_random_moments_change_no_byte_and_lose_no_shard(dataset: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole" / "index", tmp_path / "killed" / "index"
    took = finish(dataset, whole)

    moments, kills = random.Random(20_240_601), 0
    done: dict[str, tuple[int, bytes]] = {}
    while kills < KILLS:
        if is_killed_within(moments.uniform(0.02, 0.4) * took, dataset, killed):
            kills += 1
            assert shards(killed).items() >= done.items(), "a finished shard was made again"
            done = shards(killed)
        else:  # it was done before: from the start again
            shutil.rmtree(killed.parent)
            done = {}
    finish(dataset, killed)
    assert shards(killed).items() >= done.items()
    assert contents(killed) == contents(whole)
    assert b"image: damaged_image" in contents(killed)["manifest.json"]
