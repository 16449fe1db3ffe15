"""Labelled photos become a dataset in SCIN's layout; nothing is lost without a count."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from scin.build import BuildError
from scin.dataset import Case
from scin.importing import import_dataset
from scin.labelled_photos import Source
from storage.work_folder import FolderInUseError
from tests.unit.scin.labelled_folder import FACTS, contents, imported, paint, table
from tests.unit.scin.scin_folder import read

SECRET = "Ada Lovelace"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder for each of two labels, with three photos."""
    for seed, name in enumerate(("Acne/a.jpg", "Acne/b.png", "nv/c.jpg")):
        paint(tmp_path / "photos" / name, seed)
    return tmp_path / "photos"


def cases(out: Path) -> list[Case]:
    return list(read(out).cases)


def test_a_folder_becomes_a_dataset(photos: Path, tmp_path: Path) -> None:
    report = imported(photos, tmp_path / "out")
    assert (report.cases, report.photos, report.patients, report.skipped, report.notes) == (3, 3, 0, {}, {})
    assert report.labels == {"Acne": 2, "Melanocytic nevus": 1}
    dataset = read(tmp_path / "out")
    assert dataset.skipped == {}
    assert dataset.facts == FACTS
    assert dataset.modified_at == "2023-11-14T22:13:20+00:00"
    assert [case.label.weights for case in dataset.cases] == [{"Acne": 1}, {"Acne": 1}, {"Melanocytic nevus": 1}]
    assert all((tmp_path / "out" / image.path).is_file() for case in dataset.cases for image in case.images)
    assert json.loads((tmp_path / "out/import.json").read_text())["cases"] == 3


def test_what_hams_table_says_is_kept(tmp_path: Path) -> None:
    row = {"lesion_id": "HAM_1", "image_id": "ISIC_1", "dx": "mel", "dx_type": "histo", "age": "85.0", "sex": "female"}
    row["localization"] = "lower extremity"
    for seed, name in enumerate(("ISIC_1", "ISIC_2", "ISIC_3")):
        paint(tmp_path / f"photos/{name}.jpg", seed)
    rows = [row, {**row, "image_id": "ISIC_2"}, {**row, "image_id": "ISIC_3", "lesion_id": "HAM_2", "dx": "bkl"}]
    report = imported(table(tmp_path / "ham.csv", rows), tmp_path / "out", photos=tmp_path / "photos")
    first, second = cases(tmp_path / "out")
    assert (report.cases, report.photos) == (2, 3)
    assert (len(first.images), first.label.top, second.label.top) == (2, "Melanoma", "Benign keratosis-like lesion")
    assert (first.age_group, first.sex, first.body_parts) == ("AGE_80_OR_ABOVE", "FEMALE", ("leg",))
    assert first.patient_id is None


def test_what_pads_table_says_is_kept_and_a_patient_keeps_a_number(tmp_path: Path) -> None:
    row = {"file": "img/1.jpg", "patient_id": "PAT_1", "lesion_id": "1", "diagnostic": "NEV", "age": "33"}
    row |= {"gender": "MALE", "region": "FACE", "fitspatrick": "2.0"}
    others = [{"file": "img/2.jpg", "lesion_id": "2"}, {"file": "img/3.jpg", "patient_id": "PAT_2"}]
    for number in (1, 2, 3):
        paint(tmp_path / f"img/{number}.jpg", number)
    report = imported(table(tmp_path / "labels.csv", [row, *({**row, **o} for o in others)]), tmp_path / "out")
    first, second, third = cases(tmp_path / "out")
    assert (report.cases, report.patients) == (3, 2)
    assert first.patient_id == second.patient_id != third.patient_id
    assert first.patient_id is not None
    assert "PAT" not in first.patient_id
    assert (first.age_group, first.sex, first.body_parts) == ("AGE_30_TO_39", "MALE", ("head_or_neck",))
    assert first.fitzpatrick_labels == ("FST2",)


def test_fitzpatrick17ks_photos_are_found_by_their_hash(tmp_path: Path) -> None:
    paint(tmp_path / "images/abc.jpg", 1)
    rows = [
        {"md5hash": md5, "fitzpatrick_scale": scale, "label": "psoriasis", "url": "https://example.org/x"}
        for md5, scale in (("abc", "5"), ("gone", "-1"))
    ]
    report = imported(table(tmp_path / "fitzpatrick17k.csv", rows), tmp_path / "out")
    assert (report.cases, report.skipped) == (1, {"photo missing": 1})
    assert cases(tmp_path / "out")[0].fitzpatrick_labels == ("FST5",)


def test_photos_that_cannot_be_imported_are_counted(photos: Path, tmp_path: Path) -> None:
    (photos / "broken.jpg").write_bytes((photos / "Acne/a.jpg").read_bytes()[:300])
    (photos / "notes.jpg").write_text("no photo")
    paint(tmp_path / "outside.jpg", 9)
    (photos / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    files = ["Acne/a.jpg", "Acne/a.jpg", "broken.jpg", "notes.jpg", "gone.jpg", "", "../outside.jpg", "link.jpg"]
    rows = [{"file": file, "label": "Acne"} for file in files] + [{"file": "nv/c.jpg", "label": "unknown"}]
    report = imported(table(photos / "labels.csv", rows), tmp_path / "out")
    assert report.cases == 1
    skipped = dict(report.skipped)
    damaged = {reason: skipped.pop(reason) for reason in list(skipped) if reason.startswith("image: ")}
    assert sum(damaged.values()) == 2
    assert skipped == {
        "file named by an earlier row": 1,
        "photo missing": 1,
        "row without a file": 1,
        "row without a label": 1,
        "path leads out of the folder": 2,
    }


def test_photos_of_another_kind_are_counted(photos: Path, tmp_path: Path) -> None:
    rows = [
        {"isic_id": "a", "diagnosis": "nv", "image_type": "dermoscopic"},
        {"isic_id": "c", "diagnosis": "nv", "image_type": "clinical: close-up"},
    ]
    report = imported(
        table(photos / "isic.csv", rows), tmp_path / "out", facts=replace(FACTS, photo_kind="dermatoscopic")
    )
    assert (report.cases, report.skipped) == (1, {"photo of another kind": 1})


def test_where_a_photo_was_taken_is_not_in_the_dataset(photos: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x013B] = SECRET  # Artist
    exif.get_ifd(0x8825).update({1: "N", 2: (51.0, 30.0, 26.0)})  # GPS
    paint(photos / "Acne/gps.jpg", 7, exif=exif)
    assert SECRET.encode() in (photos / "Acne/gps.jpg").read_bytes()
    imported(photos, tmp_path / "out")
    for path in (tmp_path / "out/images").iterdir():
        with Image.open(path) as image:
            assert not image.getexif()
    assert not any(SECRET.encode() in data or b"gps.jpg" in data for data in contents(tmp_path / "out").values())


def test_the_same_photos_give_the_same_bytes(photos: Path, tmp_path: Path) -> None:
    imported(photos, tmp_path / "one")
    imported(photos, tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_an_earlier_import_is_replaced(photos: Path, tmp_path: Path) -> None:
    imported(photos, tmp_path / "out")
    (photos / "Acne/a.jpg").unlink()
    assert imported(photos, tmp_path / "out").cases == 2
    assert len(list((tmp_path / "out/images").iterdir())) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "photos"]


def test_a_folder_with_anything_else_in_it_is_left_alone(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("mine")
    with pytest.raises(BuildError):
        imported(photos, tmp_path / "out")
    assert contents(tmp_path / "out") == {"thesis.txt": b"mine"}


def test_the_dataset_may_not_be_among_the_photos(photos: Path) -> None:
    with pytest.raises(BuildError, match="Choose a folder outside"):
        imported(photos, photos / "out")
    with pytest.raises(BuildError, match="contains the photos to import"):
        imported(photos, photos)


def test_nothing_to_import_is_an_error_that_says_why(tmp_path: Path) -> None:
    (tmp_path / "photos/Acne").mkdir(parents=True)
    with pytest.raises(BuildError, match="it has no photos"):
        imported(tmp_path / "photos", tmp_path / "out")
    (tmp_path / "photos/Acne/a.jpg").write_text("no photo")
    with pytest.raises(BuildError, match="1 × image: "):
        imported(tmp_path / "photos", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_a_failed_import_leaves_the_earlier_one(photos: Path, tmp_path: Path) -> None:
    imported(photos, tmp_path / "out")
    before = contents(tmp_path / "out")

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_dataset(Source(photos), tmp_path / "out", FACTS, progress=stop)
    assert contents(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "photos"]


def _killed(photos: Path, out: Path) -> None:
    import_dataset(Source(photos), out, FACTS, progress=lambda done, total: os.kill(os.getpid(), signal.SIGKILL))


def test_a_killed_import_can_be_repeated(photos: Path, tmp_path: Path) -> None:
    child = multiprocessing.get_context("fork").Process(target=_killed, args=(photos, tmp_path / "out"))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    assert imported(photos, tmp_path / "out").cases == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "photos"]


def test_two_imports_to_one_folder_do_not_mix(photos: Path, tmp_path: Path) -> None:
    def second(done: int, total: int) -> None:
        with pytest.raises(FolderInUseError, match="Another import is running"):
            imported(photos, tmp_path / "out")

    assert import_dataset(Source(photos), tmp_path / "out", FACTS, progress=second).cases == 3
