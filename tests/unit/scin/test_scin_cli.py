"""``python -m scin``: what a person at a terminal sees."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from scin import __main__ as command
from tests.unit.scin.conftest import Run
from tests.unit.scin.scin_folder import case, label, write_photo, write_tables


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    cases = [case("1", "a.png", "b.png"), case("-2", "c.png"), case("3", "gone.png")]
    labels = [label("1", {"Eczema": 0.6, "Acne": 0.4}), label("-2", {"Urticaria": 1.0}), label("3", {"Acne": 1.0})]
    folder = write_tables(tmp_path / "dataset", cases, labels)
    for seed, name in enumerate("abc"):
        write_photo(folder, f"{name}.png", seed)
    return folder


@pytest.fixture
def index(run: Run, dataset: Path, tmp_path: Path) -> Path:
    assert run("build", "--source", dataset, "--out", tmp_path / "index")[0] == 0
    return tmp_path / "index"


@pytest.fixture
def places(tmp_path: Path, dataset: Path, index: Path) -> dict[str, Path]:
    return {"tmp": tmp_path, "dataset": dataset, "index": index}


def test_build_tells_what_was_indexed_and_what_was_not(run: Run, dataset: Path, tmp_path: Path) -> None:
    status, out, err = run("build", "--source", dataset, "--out", tmp_path / "mine")
    assert status == 0
    assert out.startswith(f"{tmp_path / 'mine'}: 2 cases, 3 photos, 3 vectors\n  skipped: 1 × image missing\n")
    assert "embed: 4/4" in err


def test_build_tells_how_long_each_stage_was_busy(run: Run, dataset: Path, tmp_path: Path) -> None:
    lines = run("build", "--source", dataset, "--out", tmp_path / "mine")[1].splitlines()[2:]
    assert [line.split()[0] for line in lines] == ["read", "decode", "encode", "write", "measure", "index", "in"]
    assert all(re.fullmatch(r"  \w+ +\d+\.\d s busy for 4 photos \(\d\.\d\d threads\)", line) for line in lines[:2])


def test_build_goes_on_only_if_it_is_told_to(run: Run, dataset: Path, tmp_path: Path) -> None:
    """What was embedded for the first cases is not embedded again for all."""
    command = ("build", "--source", dataset, "--out", tmp_path / "mine")
    run(*command, "--limit", 1)
    assert re.search(r"encode +\d+\.\d s busy for 3 photos", run(*command)[1])
    assert "encode" not in run(*command, "--resume")[1]
    assert json.loads(run("info", "--index", tmp_path / "mine")[1])["cases"] == 2


def test_build_arranges_the_index_as_it_is_told(run: Run, dataset: Path, tmp_path: Path) -> None:
    run("build", "--source", dataset, "--out", tmp_path / "mine", "--index", "hnsw")
    assert json.loads(run("info", "--index", tmp_path / "mine")[1])["structure"]["kind"] == "hnsw"
    assert run("search", dataset / "images" / "c.png", "--index", tmp_path / "mine", "-k", 1)[1].split()[1] == "-2"


def test_a_build_that_is_stopped_by_hand_says_how_to_go_on(
    run: Run, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_encoder", stop)
    status, out, err = run("build", "--source", dataset, "--out", tmp_path / "mine")
    assert (status, out, err) == (130, "", "\nstopped: run the same command with --resume to continue\n")


def test_photos_of_another_source_are_not_gone_on_from(run: Run, dataset: Path, tmp_path: Path) -> None:
    shutil.copytree(dataset, tmp_path / "other")
    run("build", "--source", dataset, "--out", tmp_path / "mine")
    status, out, err = run("build", "--source", tmp_path / "other", "--out", tmp_path / "mine", "--resume")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "embedded from another source" in err
    assert run("build", "--source", f"{dataset}/", "--out", tmp_path / "mine", "--resume")[0] == 0


def test_build_names_the_index_and_takes_the_first_cases(run: Run, dataset: Path, tmp_path: Path) -> None:
    run("build", "--source", dataset, "--out", tmp_path / "mine", "--limit", 1, "--name", "clinic")
    facts = json.loads(run("info", "--index", tmp_path / "mine")[1])
    assert (facts["name"], facts["cases"]) == ("clinic", 1)


def test_info_prints_the_manifest(run: Run, index: Path) -> None:
    status, out, _ = run("info", "--index", index)
    assert status == 0
    facts = json.loads(out)
    assert facts == json.loads((index / "manifest.json").read_text())
    assert facts["name"] == "index"


def test_verify(run: Run, index: Path) -> None:
    files = len(json.loads((index / "manifest.json").read_text())["files"])
    assert run("verify", "--index", index) == (0, f"{index}: {files} files match their sha256\n", "")
    (index / "cases.parquet").write_bytes(b"damaged")
    status, out, err = run("verify", "--index", index)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"error: {index / 'cases.parquet'} does not match its sha256")


def test_search_prints_the_similar_cases(run: Run, index: Path, dataset: Path) -> None:
    status, out, err = run(
        "search", dataset / "images" / "b.png", dataset / "images" / "a.png", "--index", index, "-k", 1
    )
    assert (status, err) == (0, "")
    similarity, case_id, labels = out.split(maxsplit=2)
    assert (float(similarity), case_id) == (1.0, "1")
    assert labels.strip() == "Eczema 0.60, Acne 0.40"


def test_a_photo_that_cannot_be_read_is_told_in_one_line(run: Run, index: Path) -> None:
    status, out, err = run("search", index / "manifest.json", "--index", index)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "not an image of a supported type" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("build", "--source", "/no/such/folder", "--out", "{tmp}/x"), "does not exist"),
        (("build", "--source", "{tmp}", "--out", "{tmp}/x"), "scin_labels.csv is not in"),
        (("build", "--source", "{dataset}", "--out", "{dataset}"), "was not made by this command"),
        (("build", "--source", "ftp://host/x", "--out", "{tmp}/x"), "not a supported scheme"),
        (("verify",), "Build one: python -m scin sample"),
        (("info",), "Build one: python -m scin sample"),
        (("search", "{tmp}/none.jpg", "--index", "{index}"), "none.jpg"),
        (("sample",), "Fetch it: python -m ml fetch efficientnet-lite0"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    run: Run, places: dict[str, Path], arguments: tuple[str, ...], told: str
) -> None:
    status, out, err = run(*(part.format(**places) for part in arguments))
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert told in err


def test_a_cluster_without_its_package_is_told_in_one_line(
    run: Run, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, "scin.build.ray_engine", raising=False)
    status, out, err = run("build", "--engine", "ray", "--source", dataset, "--out", tmp_path / "x")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "ray is missing. Install it: pip install -r requirements-ray.txt" in err


@pytest.mark.parametrize("arguments", [(), ("forget",), ("build",), ("search",), ("sample", "--cases", "0")])
def test_a_wrong_command_line_shows_the_usage(run: Run, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
