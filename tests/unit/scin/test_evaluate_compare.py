"""``python -m scin compare``: paired differences of the same cases, and what is said of different ones."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scin import __main__ as command
from scin.evaluate.compare import Evaluated, compare
from scin.evaluate.held_out import CaseAnswers, read_held_out
from scin.evaluate.metrics import Bootstrap
from tests.unit.scin.evaluation_data import classes_of, index_of

Run = Callable[..., tuple[int, str, str]]
INDEX = {"dataset": "made"}
#: folder → the noise of its embeddings, and what differs from the others
INDEXES = {"clear": (0.2, {}), "noisy": (0.9, {}), "other": (0.3, {"dataset": "another"})}


def answers(hits: np.ndarray, groups: np.ndarray | None = None, *, confidence: float = 0.5) -> CaseAnswers:
    """Cases of one condition and tone, where only top-1 and the confidence matter."""
    n = len(hits)
    ones, text = np.ones(n), np.full(n, "condition")
    return CaseAnswers(
        case_id=np.array([f"{row:05d}" for row in range(n)]),
        group=np.arange(n) if groups is None else groups,
        truth=text,
        answer=text,
        truth_rank=np.ones(n, int),
        truth_probability=ones,
        answer_probability=confidence * ones,
        answer_correct=hits.astype(float),
        top_1=hits.astype(float),
        top_3=ones,
        ndcg_5=ones,
        covered=ones,
        set_size=ones,
        outlier=0 * ones,
        tones={"Monk": np.array(["Monk 1", ""] * (n // 2))},
    )


def side(of: CaseAnswers) -> Evaluated:
    return Evaluated(INDEX, "the vote", 100.0, of)


def difference(first: CaseAnswers, second: CaseAnswers, metric: str = "top-1", seed: int = 1) -> tuple[float, ...]:
    found = compare(side(first), side(second), Bootstrap(200, seed)).paired
    assert found is not None
    figure = found.overall[metric].difference
    assert figure.value is not None
    assert figure.low is not None
    assert figure.high is not None
    return figure.value, figure.low, figure.high


def test_the_paired_interval_covers_the_true_difference() -> None:
    """Top-1 is .6, then .7. In 100 draws of 200 cases, a 95% interval misses it about five times."""
    covered = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        hits = rng.random(200) < 0.6
        better = np.where(hits, rng.random(200) < 0.9, rng.random(200) < 0.4)  # .6 × .9 + .4 × .4 = .7
        _, low, high = difference(answers(hits), answers(better), seed=seed)
        covered += low <= 0.1 <= high
    assert 88 <= covered <= 100


def test_pairing_is_more_certain_than_two_figures_and_groups_less_than_cases() -> None:
    rng = np.random.default_rng(1)
    hits = rng.random(400) < 0.6
    better = hits | (rng.random(400) < 0.1)
    value, low, high = difference(answers(hits), answers(better))
    assert value == pytest.approx(better.mean() - hits.mean())
    found = compare(side(answers(hits)), side(answers(better)), Bootstrap(200, 1))
    own = found.own[0]["top-1"]
    assert own.high is not None
    assert own.low is not None
    assert high - low < 0.7 * (own.high - own.low)
    assert low > 0

    twice = answers(np.repeat(hits[:200], 2), np.repeat(np.arange(200), 2))
    twice_better = answers(np.repeat(better[:200], 2), np.arange(400))  # either evaluation may know of the group
    grouped, alone = difference(twice, twice_better), difference(replace(twice, group=np.arange(400)), twice_better)
    assert grouped[2] - grouped[1] > 1.2 * (alone[2] - alone[1])


def test_the_calibration_error_is_the_one_of_the_leaderboard() -> None:
    hits = np.arange(100) < 60
    sure, unsure = answers(hits, confidence=0.9), answers(hits, confidence=0.6)
    assert difference(sure, unsure, "calibration error")[0] == pytest.approx(-0.3)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with evaluated indexes in index/ and their reports in evaluation/."""
    var = tmp_path_factory.mktemp("var")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DERMSERVE_VAR", str(var))
        for name, (noise, facts) in INDEXES.items():
            index_of(var / "index" / name, classes_of(160, 4, 1), noise, 2, name=name, **facts)
            arguments = ["evaluate", "--index", str(var / "index" / name), "--resamples", "20"]
            assert command.main(arguments) == 0
    return var


@pytest.fixture
def run(evaluated: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Compare the indexes, or folders, of these names."""
    monkeypatch.setenv("DERMSERVE_VAR", str(evaluated))
    capsys.readouterr()

    def run(first: str | Path, second: str | Path, *options: object) -> tuple[int, str, str]:
        pair = (str(evaluated / "index" / one) for one in (first, second))
        status = command.main(["compare", *pair, *map(str, options), "--resamples", "20"])
        return status, *capsys.readouterr()

    return run


def test_two_indexes_of_the_same_cases_are_paired(run: Run, evaluated: Path, tmp_path: Path) -> None:
    status, out, _ = run("noisy", "clear")
    assert status == 0
    assert "On the 160 cases that both judged, top-1 is" in out
    written = evaluated / "evaluation" / "noisy-and-clear"
    assert f"{written}: the comparison" in out
    facts = json.loads((written / "compare.json").read_text())
    overall = facts["paired"]["overall"]["top-1"]
    reports = [evaluated / "evaluation" / name for name in ("noisy", "clear")]
    before, after = (read_held_out(report).top_1.mean() for report in reports)
    assert overall["difference"]["value"] == pytest.approx(after - before)
    assert overall["first"]["value"] == pytest.approx(before)
    assert overall["difference"]["low"] > 0
    assert re.search(r"^\| top-1 \|.*\| better \|$", out, re.MULTILINE)
    assert set(facts["paired"]["tones"]["Monk group"]) == {"Monk 1–4", "Monk 5–7", "Monk 8–10"}
    assert f"{overall['difference']['value']:+.3f}" in (written / "compare.html").read_text()
    assert (written / "compare.md").read_text().startswith(out.partition("\n\n/")[0].rstrip())

    run(*reports, "--out", tmp_path / "again")
    for name in ("compare.html", "compare.md", "compare.json"):
        assert (tmp_path / "again" / name).read_bytes() == (written / name).read_bytes()


def test_the_kept_answers_are_those_of_the_leaderboard(evaluated: Path) -> None:
    report = evaluated / "evaluation" / "noisy"
    facts, kept = json.loads((report / "leaderboard.json").read_text()), read_held_out(report)
    served = facts["overall"][facts["served"]]
    assert len(kept) == 160
    assert kept.top_1.mean() == pytest.approx(served["top-1"]["value"])
    assert kept.ndcg_5.mean() == pytest.approx(served["ndcg-5"]["value"])
    assert kept.covered.mean() == pytest.approx(facts["calibration"]["sets"]["0.90"]["all"]["coverage"]["value"])
    assert kept.outlier.mean() == pytest.approx(facts["calibration"]["share_called_outliers"])
    assert ((kept.truth_rank == 1) == (kept.truth == kept.answer)).all()


def test_different_cases_are_not_paired(run: Run, tmp_path: Path) -> None:
    status, out, _ = run("clear", "other", "--out", tmp_path / "out")
    assert status == 0
    assert "These figures are not paired" in out
    assert "different datasets" in out
    facts = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert facts["paired"] is None
    assert facts["first"]["figures"]["top-1"]["n"] == 160


def test_ids_with_other_labels_are_other_cases() -> None:
    first = answers(np.ones(100))
    found = compare(side(first), side(replace(first, truth=np.full(100, "another"))), Bootstrap(20, 1))
    assert found.paired is None
    assert "have other labels" in found.unpaired


def test_what_is_not_evaluated_is_refused_in_one_line(run: Run, evaluated: Path, tmp_path: Path) -> None:
    index_of(tmp_path / "bare", classes_of(160, 4, 1), 0.3, 2)
    for folder, said in (
        (tmp_path / "bare", f"is not evaluated: {evaluated / 'evaluation' / 'bare'} has no"),
        (tmp_path / "nothing", "is not evaluated"),
    ):
        status, _, err = run("clear", folder)
        assert (status, err.count("\n")) == (1, 1)
        assert said in err
        assert "Run: python -m scin evaluate --index" in err
    index_of(tmp_path / "clear", classes_of(160, 4, 7), 0.3, 2)
    assert "has changed since it was evaluated" in run("noisy", tmp_path / "clear")[2]
    shutil.copytree(evaluated / "evaluation" / "clear", tmp_path / "report")
    (tmp_path / "report" / "held_out.parquet").write_bytes(b"damaged")
    assert "held_out.parquet is damaged" in run("noisy", tmp_path / "report")[2]
