"""Training the encoder: what is written, what is refused, and what a killed training keeps. Needs the real encoder."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from ml.errors import ArtifactError
from ml.models.registry import EFFICIENTNET_LITE0, find
from ml.models.store import ModelStore
from scin.train.photos import TrainError
from scin.train.run import Options
from scin.train.work import work_folder
from settings import Settings
from storage import open_storage
from tests.conftest import REPOSITORY
from tests.unit.scin.scin_folder import case, label, write_photo, write_tables
from tests.unit.scin.trainable import CASES, EPOCHS, run, write_dataset

#: the stages in which a training is killed, one after the other, and the step of each
KILLS = (("photos", 50), ("train", 3), ("answer again", 1))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models' folder with the encoder's files."""
    store = ModelStore(Settings.load().models_dir)
    folder = store.folder(EFFICIENTNET_LITE0)
    if not (folder / "source").is_dir():
        pytest.skip("the encoder was not fetched: python -m ml fetch efficientnet-lite0")
    copy = tmp_path_factory.mktemp("models")
    shutil.copytree(folder, copy / folder.relative_to(store.root), ignore=shutil.ignore_patterns("compiled"))
    return copy


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("trainable"))


@pytest.fixture(scope="session")
def trained(dataset: Path, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that was never stopped."""
    out = tmp_path_factory.mktemp("trained") / "encoder"
    run(dataset, out, models)
    return out


def report(folder: Path) -> dict[str, object]:
    return dict(json.loads((folder / "training.json").read_text()))


def test_random_labels_are_not_learnt_and_no_encoder_is_adopted(trained: Path) -> None:
    found = report(trained)
    assert found["adopted"] is False
    assert str(found["verdict"]).startswith("Training does not help: on ")
    assert sorted(path.name for path in trained.iterdir()) == ["training.json"]
    assert not work_folder(trained).exists()
    with pytest.raises(ArtifactError, match="was not adopted: Training does not help"):
        find(str(trained), "encoder")


def test_the_report_counts_every_case_once(trained: Path) -> None:
    found = report(trained)
    cases = found["cases"]
    assert isinstance(cases, dict)
    assert cases["learnt"] + cases["inner"] + cases["held_out"] == cases["all"] == CASES
    assert (found["epochs"], found["resumed"]) == (EPOCHS, 0)


def test_a_finished_training_says_so_and_changes_nothing(trained: Path, dataset: Path, models: Path) -> None:
    before = (trained / "training.json").read_bytes()
    outcome = run(dataset, trained, models)
    assert not outcome.new
    assert outcome.verdict == report(trained)["verdict"]
    assert (trained / "training.json").read_bytes() == before


def test_another_seed_in_the_same_folder_is_refused(trained: Path, dataset: Path, models: Path) -> None:
    with pytest.raises(TrainError, match=r"finished training with another seed\. Add --force"):
        run(dataset, trained, models, seed=2)


def test_a_killed_training_goes_on_to_the_same_figures(
    trained: Path, dataset: Path, models: Path, tmp_path: Path
) -> None:
    out = tmp_path / "encoder"
    command = [sys.executable, "-m", "tests.unit.scin.trainable", str(dataset), str(out), str(models)]
    for stage, step in KILLS:
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            shown = (line for line in process.stdout if line.strip() == stage)
            assert len(list(islice(shown, step))) == step
            process.kill()
    with pytest.raises(TrainError, match="unfinished training with another seed"):
        run(dataset, out, models, seed=2)
    subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, check=True)
    found, expected = report(out), report(trained)
    assert found["resumed"] == len(KILLS)
    assert found["scores"] == expected["scores"]
    assert found["losses"] == pytest.approx(expected["losses"], abs=1e-3)
    assert found["comparison"] == expected["comparison"]


def test_what_a_run_left_at_its_very_end_is_removed(trained: Path, dataset: Path, models: Path) -> None:
    folder = work_folder(trained)
    folder.mkdir()
    (folder / "state.json").write_text(json.dumps({"key": {}, "runs": 1, "finished": True}))
    (folder / "frozen.npz").write_bytes(b"left")
    assert not run(dataset, trained, models).new
    assert not folder.exists()


def test_an_unfinished_other_training_is_not_removed(trained: Path, dataset: Path, models: Path) -> None:
    state = work_folder(trained) / "state.json"
    state.parent.mkdir()
    state.write_text(json.dumps({"key": {"seed": 9}, "runs": 1}))
    assert not run(dataset, trained, models).new
    assert state.is_file()
    shutil.rmtree(state.parent)


def test_a_replacing_training_that_was_stopped_goes_on(
    trained: Path, dataset: Path, models: Path, tmp_path: Path
) -> None:
    """After --force was stopped, the same command without it does not call the old result finished."""
    out = tmp_path / "encoder"
    shutil.copytree(trained, out)

    def stop(stage: str) -> None:
        if stage == "train":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(dataset, out, models, force=True, watch=stop)
    assert run(dataset, out, models).new
    assert report(out)["resumed"] == 1
    assert not work_folder(out).exists()


@pytest.mark.parametrize("name", ["checkpoint.pt", "state.json"])
def test_damaged_work_is_refused_in_one_line(dataset: Path, models: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "encoder"

    def stop(stage: str) -> None:
        if (work_folder(out) / "checkpoint.pt").is_file():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(dataset, out, models, watch=stop)
    path = work_folder(out) / name
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(TrainError, match=rf"{name} is damaged\. Add --force") as caught:
        run(dataset, out, models)
    assert "\n" not in caught.value.message


def test_minutes_that_are_too_short_say_how_many_are_enough(dataset: Path, models: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=r"^1 minutes are too short for one epoch\. Give at least --minutes \d+, or"):
        run(dataset, tmp_path / "encoder", models, minutes=1)


@pytest.mark.parametrize(
    ("minutes", "epochs", "seconds"), [(None, None, 3000), (None, 2, math.inf), (7, 2, 420), (7, None, 420)]
)
def test_the_time_is_limited_unless_only_the_epochs_are_stated(
    minutes: float | None, epochs: int | None, seconds: float
) -> None:
    assert Options(minutes, epochs).limit_s == seconds


@pytest.mark.parametrize(
    ("cases", "conditions", "message"),
    [
        (60, 3, "has 60 labelled cases with a readable photo. Training needs 100"),
        (104, 1, "All cases have one condition"),
    ],
)
def test_a_dataset_that_cannot_be_learnt_is_refused(
    models: Path, tmp_path: Path, cases: int, conditions: int, message: str
) -> None:
    folder = tmp_path / "dataset"
    names = [f"Condition {n % conditions}" for n in range(cases)]
    write_tables(
        folder,
        [case(str(n), f"{n}.png") for n in range(cases)],
        [label(str(n), {name: 1.0}) for n, name in enumerate(names)],
    )
    for n in range(cases):
        write_photo(folder, f"{n}.png", seed=n)
    with pytest.raises(TrainError, match=message) as caught:
        run(folder, tmp_path / "encoder", models)
    assert "\n" not in caught.value.message
    assert not (tmp_path / "encoder").exists()


def test_photos_that_cannot_be_decoded_are_nothing_to_learn_from(models: Path, tmp_path: Path) -> None:
    folder = write_tables(tmp_path / "dataset", [case("1", "1.png")], [label("1", {"Acne": 1.0})])
    (folder / "images" / "1.png").write_bytes(b"no photo")
    with pytest.raises(TrainError, match=r"no labelled case in .* has a readable photo"):
        run(folder, tmp_path / "encoder", models)


def test_a_store_that_stops_answering_ends_the_training(models: Path, tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "dataset", 40)
    for n in range(40):
        (folder / "images" / f"{n}.png").unlink()
        (folder / "images" / f"{n}.png").mkdir()  # it exists and cannot be read
    with pytest.raises(TrainError, match=r"32 photos in a row could not be read from .* Run the same command again"):
        run(folder, tmp_path / "encoder", models)


def test_a_folder_with_something_else_is_left_alone(dataset: Path, models: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    from scin.build import BuildError

    with pytest.raises(BuildError, match="was not made by this command"):
        run(dataset, tmp_path, models)
    assert open_storage(str(tmp_path)).read("mine.txt") == b"mine"
