"""``python -m scin import``: what a person at a terminal sees and is asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.scin.conftest import Run
from tests.unit.scin.labelled_folder import paint, table

STATED = {"--name": "Our clinic", "--licence": "CC BY 4.0", "--attribution": "A. Author", "--kind": "clinical"}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for seed, name in enumerate(("Acne/a.png", "nv/b.png")):
        paint(tmp_path / "photos" / name, seed)
    return tmp_path / "photos"


def options(without: str = "") -> Iterator[str]:
    for option, text in STATED.items():
        if option != without:
            yield from (option, text)


def test_it_tells_what_was_imported_and_what_was_not(run: Run, photos: Path, tmp_path: Path) -> None:
    (photos / "Acne/notes.txt").write_text("no photo")
    status, out, err = run("import", photos, "--out", tmp_path / "out", *options())
    lines = out.splitlines()
    assert status == 0
    assert lines[:4] == [
        f"{tmp_path / 'out'}: 2 cases, 2 photos, 2 conditions",
        "  Our clinic, CC BY 4.0; clinical photos",
        "       1 × Acne",
        "       1 × Melanocytic nevus",
    ]
    assert lines[4].startswith("  skipped: 1 × image: ")
    assert "import: 3/3" in err


@pytest.mark.parametrize("option", STATED)
def test_without_a_terminal_the_missing_option_is_named(run: Run, photos: Path, tmp_path: Path, option: str) -> None:
    status, _, err = run("import", photos, "--out", tmp_path / "out", *options(without=option))
    assert status == 1
    assert len(err.splitlines()) == 1
    assert f"Add {option}" in err
    assert not (tmp_path / "out").exists()


def test_on_a_terminal_the_licence_is_asked_for(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: "CC0-1.0" if "licence" in question else "")
    assert run("import", photos, "--out", tmp_path / "out", *options(without="--licence"))[0] == 0
    assert json.loads((tmp_path / "out/dataset.json").read_text())["attribution"]["licence"] == "CC0-1.0"
    status, _, err = run("import", photos, "--out", tmp_path / "out", *options(without="--name"))
    assert (status, "--name" in err) == (1, True)


def test_a_table_that_states_licence_and_kind_need_not_be_asked(run: Run, photos: Path, tmp_path: Path) -> None:
    rows = [{"isic_id": "b", "diagnosis": "nv", "copyright_license": "CC-BY", "image_type": "dermoscopic"}]
    source = table(photos / "isic.csv", rows)
    stated = ("--name", "ISIC", "--attribution", "A. Author")
    assert run("import", source, "--out", tmp_path / "out", *stated)[0] == 0
    facts = json.loads((tmp_path / "out/dataset.json").read_text())
    assert (facts["attribution"]["licence"], facts["photo_kind"]) == ("CC-BY", "dermatoscopic")


def test_own_names_are_used(run: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("label,name\nnv,Mole\n")
    assert (
        "1 × Mole"
        in run("import", photos, "--out", tmp_path / "out", "--labels", tmp_path / "names.csv", *options())[1]
    )


def test_an_imported_dataset_becomes_an_index_with_its_own_attribution(run: Run, photos: Path, tmp_path: Path) -> None:
    assert run("import", photos, "--out", tmp_path / "out", "--source-url", "https://example.org", *options())[0] == 0
    assert run("build", "--source", tmp_path / "out", "--out", tmp_path / "index")[0] == 0
    manifest = json.loads(run("info", "--index", tmp_path / "index")[1])
    assert (manifest["dataset"], manifest["licence"], manifest["cases"]) == ("Our clinic", "CC BY 4.0", 2)
    assert manifest["attribution"]["citation"] == "A. Author"
    assert manifest["attribution"]["source"] == "https://example.org"
