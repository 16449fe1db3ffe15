"""``--engine ray`` on a cluster of two nodes on this machine, each with a scheduler and an object store of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from scin.build import build, shard_folder
from scin.index.manifest import read_manifest
from scin.index.vectors import read_embeddings
from storage import open_storage
from tests.conftest import REPOSITORY
from tests.integration.ray_build import SHARD_PHOTOS
from tests.tools import package_or_skip
from tests.unit.ml.tiny_models import RecordingRuntime, tiny_encoder
from tests.unit.scin.scin_folder import case, label, write_photo, write_tables

PHOTOS = 192
_START_S = 180


@dataclass(frozen=True)
class Cluster:
    """``environment`` is what leads a program to it."""

    nodes: list[str]
    environment: dict[str, str]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    package_or_skip("ray", must="build an index on a cluster", skipped="building an index on a cluster is not tested")
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder:  # a socket's path has 107 bytes at most
        environment = {
            **os.environ,
            "RAY_TMPDIR": folder,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on those Ray keeps to loopback; so it does here
            "RAY_worker_niceness": "0",  # 15 starves beside other tests
        }
        with Path(folder, "said").open("w+") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.ray_cluster"],
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )
            alarm = threading.Timer(_START_S, process.kill)
            alarm.start()
            try:
                told = process.stdout.readline() if process.stdout else ""
                alarm.cancel()
                assert told, Path(folder, "said").read_text()
                facts = json.loads(told)
                yield Cluster(facts["nodes"], {**environment, "RAY_ADDRESS": facts["address"]})
            finally:
                alarm.cancel()
                process.communicate(timeout=_START_S)
        assert not _processes_of(folder)


def _processes_of(folder: str) -> list[list[str]]:
    commands = (process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"]))
    return [command for command in commands if any(folder in argument for argument in command)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cases of two photos each. Photo 130 is the photo 2 again, 11 is damaged and 12 is missing."""
    rows = [case(str(n), f"{n}.png", f"{n + 1}.png") for n in range(0, PHOTOS, 2)]
    labels = [label(str(n), {f"Condition {n % 3}": 1.0}) for n in range(0, PHOTOS, 2)]
    folder = write_tables(tmp_path_factory.mktemp("ray") / "dataset", rows, labels)
    for n in range(PHOTOS):
        write_photo(folder, f"{n}.png", seed=2 if n == 130 else n)
    (folder / "images" / "11.png").write_bytes((folder / "images" / "11.png").read_bytes()[:99])
    (folder / "images" / "12.png").unlink()
    return folder


def run(*command: object, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def assert_same_index(ours: Path, local: Path) -> None:
    """Vectors may differ in their last digits; nothing else may."""
    mine, other = read_manifest(ours), read_manifest(local)
    assert (mine.cases, mine.vectors, mine.skipped) == (other.cases, other.vectors, other.skipped)
    for name in ("cases.parquet", "thumbnails.bin", "population.json"):
        assert mine.files[name] == other.files[name]
    np.testing.assert_allclose(read_embeddings(ours), read_embeddings(local), rtol=0, atol=1e-5)


@pytest.mark.models
def test_both_nodes_embed_and_the_index_is_the_local_one(
    cluster: Cluster, models_dir: Path, dataset: Path, tmp_path: Path
) -> None:
    command = ("scin", "build", "--source", dataset, "--name", "scin", "--out")
    spread = run(*command, tmp_path / "ray", "--engine", "ray", environment=cluster.environment)
    assert spread.returncode == 0, spread.stderr
    photos = dict(re.findall(r"^  node (\w+) embedded (\d+) photos$", spread.stdout, re.MULTILINE))
    assert set(photos) == {node[:12] for node in cluster.nodes}
    assert min(map(int, photos.values())) > 0
    assert sum(map(int, photos.values())) == PHOTOS - 2

    local = run(*command, tmp_path / "local")
    assert local.returncode == 0, local.stderr
    assert_same_index(tmp_path / "ray", tmp_path / "local")
    assert read_manifest(tmp_path / "ray").vectors == PHOTOS - 3
    assert read_manifest(tmp_path / "ray").skipped == {"image missing": 1, "image: damaged_image": 1}


def test_each_engine_goes_on_from_what_the_other_embedded(cluster: Cluster, dataset: Path, tmp_path: Path) -> None:
    store, out, done = open_storage(str(dataset)), tmp_path / "index", 5 * SHARD_PHOTOS

    def build_here(out: Path, limit: int | None = None) -> int:
        """How many photos it embedded."""
        encoder = tiny_encoder()
        build(
            store,
            out,
            encoder,
            name="scin",
            limit=limit,
            shards=shard_folder(out),
            resume=True,
            shard_photos=SHARD_PHOTOS,
        )
        assert isinstance(encoder.runtime, RecordingRuntime)
        return sum(encoder.runtime.batches)

    build_here(out, limit=done // 2)
    rest = run("tests.integration.ray_build", dataset, out, tiny_encoder().fingerprint, environment=cluster.environment)
    assert rest.returncode == 0, rest.stderr
    assert sum(json.loads(rest.stdout.splitlines()[-1]).values()) == PHOTOS - done
    assert build_here(out) == 0
    build_here(tmp_path / "local")
    assert_same_index(out, tmp_path / "local")


def test_a_node_with_other_weights_ends_the_build(cluster: Cluster, dataset: Path, tmp_path: Path) -> None:
    done = run("tests.integration.ray_build", dataset, tmp_path / "index", "0" * 64, environment=cluster.environment)
    assert done.returncode == 1
    # Not always the last line: Ray's own threads may have something to say when they end.
    assert re.search(r"BuildError: On node \w{12}: The weights of tiny differ from", done.stderr), done.stderr
    assert not (tmp_path / "index").exists()
