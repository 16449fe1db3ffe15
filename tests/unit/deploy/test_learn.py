"""Which steps ``make scin`` takes after the training, and which processes it takes for the service."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from deploy import learn
from deploy.learn import StepError, Steps
from deploy.running import find_service, pid_file
from ml.models.registry import find
from ml.models.store import ModelStore
from scin.index.manifest import read_manifest, write_manifest
from scin.index.vote import CALIBRATION_FILE
from settings import Settings
from tests.unit.ml.trained_folders import write_folder
from tests.unit.scin.evaluation_data import classes_of, index_of
from tests.unit.web.test_boot import write_index

Calls = list[tuple[str, ...]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation with an index of the general encoder and a trained encoder."""
    write_index(tmp_path / "index" / "scin", synthetic=False)
    write_folder(tmp_path / "encoders" / "scin")
    return Settings(var=tmp_path)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The commands of scin that are run, instead of running them; serving is left out."""
    made: Calls = []
    monkeypatch.setattr(learn, "_scin", lambda *arguments: made.append(arguments) is None)
    monkeypatch.setattr(Steps, "serve", lambda self: made.append(("serve",)))
    return made


def report(settings: Settings, *, adopted: bool, name: str = "scin") -> None:
    (settings.var / "encoders" / name / "training.json").write_text(json.dumps({"adopted": adopted}))


def test_an_encoder_that_is_not_adopted_makes_no_index(
    settings: Settings, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    report(settings, adopted=False)
    Steps(settings, "gs://b/d", None).train(None)
    assert [call[0] for call in calls] == ["train"]
    assert "not adopted" in capsys.readouterr().out


def test_an_adopted_encoder_makes_an_index_of_its_own(settings: Settings, calls: Calls) -> None:
    """A training on the first cases is another one than that on all: each has its own folder."""
    encoder, index = settings.var / "encoders" / "scin-9", settings.var / "index" / "scin-trained"
    write_folder(encoder)
    report(settings, adopted=True, name="scin-9")
    Steps(settings, "gs://b/d", 9).train("3")
    source, limit = ("--source", "gs://b/d"), ("--limit", "9")
    assert calls == [
        ("train", *source, "--out", str(encoder), *limit, "--minutes", "3"),
        ("build", *source, "--out", str(index), "--resume", *limit, "--encoder", str(encoder)),
        ("evaluate", "--index", str(index)),
        ("serve",),
        ("compare", str(settings.var / "index" / "scin"), str(index)),
    ]


def test_an_index_that_is_complete_is_not_built_again(settings: Settings, calls: Calls) -> None:
    report(settings, adopted=True)
    spec = find(str(settings.var / "encoders" / "scin"), "encoder")
    index = settings.var / "index" / "scin-trained"
    write_index(
        index,
        encoder_fingerprint=ModelStore(settings.models_dir).manifest(spec).fingerprint,
        files={CALIBRATION_FILE: sha256(b"{}").hexdigest()},
    )
    (index / CALIBRATION_FILE).write_text("{}")
    Steps(settings, "gs://b/d", None).train(None)
    assert [call[0] for call in calls] == ["train", "serve"]
    whole = read_manifest(index)
    write_manifest(index, replace(whole, cases=0))
    Steps(settings, "gs://b/d", None).train(None)
    assert [call[0] for call in calls[2:]] == ["train", "build", "evaluate", "serve", "compare"]
    write_manifest(index, whole)
    (index / CALIBRATION_FILE).write_text("damaged")
    Steps(settings, "gs://b/d", None).train(None)
    assert [call[0] for call in calls[7:]] == ["train", "build", "evaluate", "serve", "compare"]


@pytest.mark.parametrize(("limit", "first"), [(None, "500"), (9, "9"), (900, "500")])
def test_the_first_cases_are_not_more_than_the_limit(
    limit: int | None, first: str, settings: Settings, calls: Calls
) -> None:
    shutil.rmtree(settings.var / "index" / "scin")
    Steps(settings, "gs://b/d", limit).index(500)
    assert [call[0] for call in calls] == ["build", "serve", "build", "evaluate", "serve"]
    assert calls[0][-2:] == ("--limit", first)


def test_too_few_cases_are_served_without_evaluation_and_training(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: Calls = []
    monkeypatch.setattr(learn, "_scin", lambda *arguments: made.append(arguments) or arguments[0] == "build")
    monkeypatch.setattr(Steps, "serve", lambda self: made.append(("serve",)))
    steps = Steps(settings, "gs://b/d", None)
    steps.index(500)
    steps.train(None)
    assert [call[0] for call in made] == ["serve", "build", "evaluate", "serve", "train"]
    assert [line.split(" cases")[0] for line in capsys.readouterr().out.splitlines()] == ["There are too few"] * 2


def test_an_index_that_is_not_evaluated_is_not_compared(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(learn, "_scin", lambda *arguments: made.append(arguments[0]) or arguments[0] != "evaluate")
    monkeypatch.setattr(Steps, "serve", lambda self: made.append("serve"))
    report(settings, adopted=True)
    Steps(settings, "gs://b/d", None).train(None)
    assert made == ["train", "build", "evaluate", "serve"]


def test_too_few_cases_are_no_failure_of_a_step(tmp_path: Path) -> None:
    index_of(tmp_path / "index", classes_of(40, 4, 5), 0.3, 6)
    assert learn._scin("evaluate", "--index", str(tmp_path / "index")) is False
    with pytest.raises(StepError, match="ended with status 1"):
        learn._scin("evaluate", "--index", str(tmp_path / "no index"))


@pytest.mark.parametrize("text", ["", "no number", "999999999"])
def test_without_a_process_there_is_no_service(text: str, settings: Settings) -> None:
    assert find_service(settings) is None
    pid_file(settings).write_text(text)
    assert find_service(settings) is None


def test_another_program_with_the_number_of_the_service_is_left_alone(settings: Settings) -> None:
    pid_file(settings).write_text(str(os.getpid()))
    assert find_service(settings) is None


def test_a_gunicorn_of_another_application_is_left_alone(settings: Settings) -> None:
    waits = "import sys; print('running', flush=True); sys.stdin.read()"
    for name, ours in (("other:app", False), ("application:application", True)):
        command = [sys.executable, "-c", waits, "gunicorn", name]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            pid_file(settings).write_text(str(process.pid))
            assert (find_service(settings) is not None) is ours
            process.communicate(timeout=30)
