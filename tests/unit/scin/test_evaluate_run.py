"""``python -m scin evaluate``: the reports it writes, and what it gives to the index."""

from __future__ import annotations

import csv
import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scin import __main__ as command
from scin.build import build
from scin.evaluate import run as evaluating
from scin.index.manifest import Vote, read_manifest, verify_files
from scin.index.vote import read_calibration
from storage import open_storage
from tests.unit.ml.tiny_models import tiny_encoder
from tests.unit.scin.conftest import Run
from tests.unit.scin.evaluation_data import classes_of, index_of
from tests.unit.scin.index_folder import load
from tests.unit.scin.scin_folder import case, label, write_tables

COLOURS = {"Acne": (200, 80, 80), "Eczema": (90, 160, 90), "Tinea": (70, 80, 200)}


@pytest.fixture
def run(run: Run) -> Run:
    return partial(run, "evaluate", "--resamples", 20)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    index_of(tmp_path / "index", classes_of(120, 4, 1), 0.35, 2, vote=Vote(1, 9.0))
    return tmp_path / "index"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_index_gets_what_was_chosen_and_stays_whole(run: Run, index: Path, tmp_path: Path) -> None:
    before = read_manifest(index)
    status, out, _ = run("--index", index, "--out", tmp_path / "out")
    assert status == 0
    manifest = read_manifest(index)
    verify_files(index, manifest)
    chosen = json.loads((tmp_path / "out" / "leaderboard.json").read_text())["chosen"]
    assert manifest.vote == Vote(chosen["neighbours"], chosen["temperature"]) != before.vote
    assert list(manifest.transforms) == chosen["transform"]
    assert manifest.files.keys() - before.files.keys() == {"calibration.json"}
    assert {n for n, digest in before.files.items() if manifest.files[n] == digest} >= {
        "cases.parquet",
        "embeddings.npy",
    }
    assert load(index).manifest.vote == manifest.vote
    assert f"{chosen['neighbours']} neighbours" in out
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_the_calibration_is_what_an_answer_needs(run: Run, index: Path, tmp_path: Path) -> None:
    run("--index", index, "--out", tmp_path / "out")
    calibration = read_calibration(index)
    assert calibration.conditions == tuple(f"condition {number:02d}" for number in range(4))
    assert set(calibration.quantiles) == {"0.80", "0.90", "0.95"}
    assert set(calibration.quantiles["0.90"]) == {"all", "Monk 1–4", "Monk 5–7", "Monk 8–10"}
    assert len(calibration.distances) == 101
    report = json.loads((tmp_path / "out" / "leaderboard.json").read_text())
    told = report["by_tone"]["chosen method, calibrated"]["Monk group"]["Monk 5–7"]["top-1"]
    cited = calibration.accuracy["Monk 5–7"]["top-1"]
    assert (cited.n, cited.value, cited.low, cited.high) == (told["n"], told["value"], told["low"], told["high"])


def test_the_report_holds_all_figures(run: Run, index: Path, tmp_path: Path) -> None:
    _, out, _ = run("--index", index, "--out", tmp_path / "out")
    report = json.loads((tmp_path / "out" / "leaderboard.json").read_text())
    assert report["data"] == {
        "cases": 120,
        "judged": 120,
        "photos": 240,
        "different_photos": 240,
        "conditions": 4,
        "groups": 120,
        "in_two_folds": 0,
    }
    assert set(report["overall"]) == {
        "chosen method",
        "chosen method, calibrated",
        "vote of the neighbours",
        "head",
        "commonest conditions",
    }
    assert {"top-1", "top-3", "top-5", "ndcg-5", "macro recall", "macro AUROC"} <= set(
        report["overall"]["chosen method"]
    )
    figure = report["overall"]["chosen method"]["top-1"]
    assert figure["n"] == 120
    assert figure["low"] <= figure["value"] <= figure["high"]
    assert report["by_tone"]["chosen method"]["Monk"]["Monk 1"]["top-1"] == {"n": 12, "too_few": True}
    assert np.sum(report["confusion"]["counts"]) == 120
    assert report["image_split"]["published"] == {
        "Derm Foundation + logistic regression": 0.836,
        "Derm Foundation + neural network": 0.854,
    }
    assert "| Monk 1 | 12 | too few | too few |" in out
    assert "0.836 (published)" in out
    for name in ("accuracy-by-tone.png", "reliability.png", "confusion.png"):
        with Image.open(tmp_path / "out" / name) as picture:
            assert min(picture.size) > 300


def test_a_synthetic_index_is_called_so(run: Run, tmp_path: Path) -> None:
    index_of(tmp_path / "made", classes_of(80, 4, 3), 0.3, 4, synthetic=True)
    _, out, _ = run("--index", tmp_path / "made")
    assert "Generated data: these figures say how the software behaves, nothing about disease." in out
    assert json.loads((tmp_path / "var" / "evaluation" / "made" / "leaderboard.json").read_text())["index"]["synthetic"]


def test_the_same_seed_gives_the_same_bytes_and_again_on_its_own_result(run: Run, index: Path, tmp_path: Path) -> None:
    run("--index", index, "--out", tmp_path / "first", "--seed", 3)
    once = contents(index)
    run("--index", index, "--out", tmp_path / "second", "--seed", 3)
    assert contents(index) == once
    assert contents(tmp_path / "first") == contents(tmp_path / "second")
    run("--index", index, "--out", tmp_path / "other", "--seed", 4)
    assert contents(tmp_path / "other")["leaderboard.json"] != contents(tmp_path / "first")["leaderboard.json"]


def test_report_only_leaves_the_index_alone(run: Run, index: Path, tmp_path: Path) -> None:
    before = contents(index)
    assert run("--index", index, "--out", tmp_path / "out", "--report-only")[0] == 0
    assert contents(index) == before


def test_a_failure_while_writing_leaves_the_index_whole(
    run: Run, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    before = contents(index)
    monkeypatch.setattr(evaluating, "write_manifest", fail)
    status, _, err = run("--index", index, "--out", tmp_path / "out")
    assert (status, "disk full" in err) == (1, True)
    assert contents(index) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "out"]


def test_what_cannot_be_evaluated_is_told_in_one_line(run: Run, index: Path, tmp_path: Path) -> None:
    index_of(tmp_path / "small", classes_of(40, 4, 5), 0.3, 6)
    status, _, err = run("--index", tmp_path / "small")
    assert status == command.TOO_FEW_STATUS
    assert err.endswith("has 40 labelled cases. At least 60 distinct ones are needed.\n")
    assert "Build one: python -m scin sample" in run("--index", tmp_path / "none")[2]
    (index / "cases.parquet").write_bytes(b"damaged")
    status, _, err = run("--index", index)
    assert (status, err.count("\n")) == (1, 1)
    assert "does not match its sha256" in err


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """An index of coloured photos, 30 cases a colour, by the builder itself."""
    names = [(f"{number}", list(COLOURS)[number % 3]) for number in range(90)]
    folder = write_tables(
        tmp_path / "dataset",
        [case(number, f"{number}.png") for number, _ in names],
        [label(number, {name: 1.0}) for number, name in names],
    )
    for number, name in names:
        paint(folder / "images" / f"{number}.png", name, int(number))
    build(open_storage(str(folder)), tmp_path / "built", tiny_encoder(), name="built")
    return tmp_path / "built"


def paint(path: Path, name: str, seed: int) -> None:
    """A photo of one colour, with grain."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grain = np.random.default_rng(seed).integers(-40, 40, (40, 48, 3))
    Image.fromarray(np.clip(np.array(COLOURS[name]) + grain, 0, 255).astype(np.uint8)).save(path, "PNG")


def test_a_folder_of_labelled_photos_is_asked_about(run: Run, built: Path, tmp_path: Path) -> None:
    """An index without a calibration is evaluated first; labels match however they are written."""
    for number in range(36):
        name = list(COLOURS)[number % 3]
        paint(tmp_path / "photos" / name.lower() / f"{number}.png", name, 1000 + number)
    paint(tmp_path / "photos" / "Warts" / "1.png", "Acne", 2000)
    (tmp_path / "photos" / "acne" / "notes.txt").write_text("no photo")
    status, out, _ = run("--index", built, "--out", tmp_path / "out", "--queries", tmp_path / "photos")
    assert status == 0
    assert "# Leaderboard" in out
    assert "36 cases." in out
    assert "1 cases of “Warts”, which the index does not know" in out
    report = json.loads((tmp_path / "out" / "queries.json").read_text())
    assert report["figures"]["top-1"] == {"n": 36, "value": 1.0, "low": 1.0, "high": 1.0}
    assert report["figures"]["macro recall"]["value"] == 1.0
    assert report["by_condition"]["Acne"] == {"n": 12, "top-1 hits": 12}
    assert report["photos_skipped"] == {"image: unsupported_image": 1}
    assert report["cases_with_unknown_labels"] == {"Warts": 1}
    vote = read_manifest(built).vote
    assert (report["neighbours"], report["temperature"]) == (vote.neighbours, vote.temperature)

    calibrated = contents(built)
    assert "# Leaderboard" not in run("--index", built, "--out", tmp_path / "out", "--queries", tmp_path / "photos")[1]
    assert contents(built) == calibrated


def test_a_table_of_labelled_photos_is_asked_about(run: Run, built: Path, tmp_path: Path) -> None:
    """Two photos a case; half the labels are wrong, and so are half the answers."""
    rows = []
    for number in range(40):
        name = list(COLOURS)[number % 3]
        for view in range(2):
            paint(tmp_path / "views" / f"{number}-{view}.png", name, 3000 + 2 * number + view)
            told = name if number % 2 else list(COLOURS)[(number + 1) % 3]
            rows.append({"File": f"views/{number}-{view}.png", "dx": told, "case_id": number})
    rows.append({"File": "views/gone.png", "dx": "Acne", "case_id": 99})
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["File", "dx", "case_id"])
        writer.writeheader()
        writer.writerows(rows)
    assert run("--index", built, "--out", tmp_path / "out", "--queries", tmp_path / "labels.csv")[0] == 0
    report = json.loads((tmp_path / "out" / "queries.json").read_text())
    assert (report["cases"], report["figures"]["top-1"]["value"]) == (40, 0.5)
    assert report["photos_skipped"] == {"file missing": 1}


def test_cases_that_the_index_holds_are_left_out_and_counted(run: Run, built: Path, tmp_path: Path) -> None:
    """One of 40 cases has a photo of the index beside a new one."""
    for number in range(40):
        name = list(COLOURS)[number % 3]
        paint(tmp_path / "photos" / f"{number}.png", name, 5000 + number)
    shutil.copy(tmp_path / "dataset" / "images" / "4.png", tmp_path / "photos" / "copy.png")
    rows = [f"photos/{number}.png,{list(COLOURS)[number % 3]},{number}" for number in range(40)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,dx,case_id", *rows, f"photos/copy.png,{list(COLOURS)[1]},1"]))
    assert run("--index", built, "--out", tmp_path / "out", "--queries", tmp_path / "labels.csv")[0] == 0
    report = json.loads((tmp_path / "out" / "queries.json").read_text())
    assert report["cases"] == 39
    assert report["photos_skipped"] == {"of a case in the index": 2}

    held = tmp_path / "held.csv"
    held.write_text("\n".join(["file,dx", *(f"dataset/images/{n}.png,{list(COLOURS)[n % 3]}" for n in range(6))]))
    status, _, err = run("--index", built, "--out", tmp_path / "out", "--queries", held)
    assert (status, "Ask about new ones." in err) == (1, True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("photo,name\na.png,Acne\n", "needs a column file or image or path or"),
        ("file,label\n", "has no labelled photos"),
        ("file,label\na.png,Warts\n", "None of the labels is a condition of the index"),
    ],
)
def test_a_table_that_cannot_be_used_is_told_in_one_line(
    run: Run, built: Path, tmp_path: Path, text: str, told: str
) -> None:
    run("--index", built, "--out", tmp_path / "out")
    paint(tmp_path / "a.png", "Acne", 1)
    (tmp_path / "labels.csv").write_text(text)
    status, _, err = run("--index", built, "--out", tmp_path / "out", "--queries", tmp_path / "labels.csv")
    assert status == 1
    assert told in err.splitlines()[-1]
