"""What a dataset states about itself, and where it goes: the manifest and every answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scin.build import build
from scin.facts import FACTS_FILE, SCIN, SYNTHETIC, UNNAMED, DatasetFacts, credit, write_facts
from scin.index.search import load_index
from storage import StorageError, open_storage
from tests.unit.ml.tiny_models import tiny_encoder
from tests.unit.scin.scin_folder import case, label, read, write_photo, write_tables

OWN = DatasetFacts(
    credit(name="Our clinic", licence="CC BY 4.0", citation="A. Author", source="https://example.org"), "dermatoscopic"
)


def dataset(folder: Path, source: str) -> Path:
    return write_tables(folder, [{**case("1", "a.png"), "source": source}], [label("1", {"Acne": 1.0})])


@pytest.mark.parametrize(
    ("source", "attribution"), [("SCIN", SCIN), ("SYNTHETIC", SYNTHETIC), ("IMPORTED", UNNAMED), ("", UNNAMED)]
)
def test_without_a_file_the_source_of_the_cases_tells_the_dataset(
    tmp_path: Path, source: str, attribution: dict[str, str]
) -> None:
    facts = read(dataset(tmp_path, source)).facts
    assert (facts.attribution, facts.photo_kind) == (attribution, "clinical")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_facts(dataset(tmp_path, "IMPORTED"), OWN)
    assert read(tmp_path).facts == OWN


def test_an_attribution_leaves_out_a_source_that_is_not_stated() -> None:
    assert "source" not in credit(name="Our clinic", licence="CC0-1.0", citation="A. Author", source="")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is damaged. Import the dataset again."),
        ("[]", "is damaged. Import the dataset again."),
        ('{"format": 1}', "is damaged. Import the dataset again."),
        ('{"format": 2, "attribution": {"dataset": "a", "licence": "b"}}', "has another format than 1"),
        ('{"format": 1, "attribution": {"dataset": "a"}}', "must state the dataset, its licence"),
        ('{"format": 1, "attribution": {"dataset": "a", "licence": ""}}', "must state the dataset, its licence"),
        ('{"format": 1, "attribution": {"dataset": "a", "licence": "b"}, "photo_kind": "x-ray"}', "must state"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    (dataset(tmp_path, "IMPORTED") / FACTS_FILE).write_text(text)
    with pytest.raises(StorageError) as caught:
        read(tmp_path)
    assert message in str(caught.value)


def test_an_index_carries_the_facts_of_its_dataset_into_every_answer(tmp_path: Path) -> None:
    folder, encoder = dataset(tmp_path / "dataset", "IMPORTED"), tiny_encoder()
    write_photo(folder, "a.png", 1)
    write_facts(folder, OWN)
    manifest = build(open_storage(str(folder)), tmp_path / "index", encoder, name="own")
    assert (manifest.dataset, manifest.licence) == ("Our clinic", "CC BY 4.0")
    index = load_index(tmp_path / "index", encoder_fingerprint=encoder.fingerprint, dimension=encoder.dimension)
    assert index.info.attribution == OWN.attribution
    assert (index.info.dataset, index.info.photo_kind) == ("Our clinic", "dermatoscopic")
    assert json.loads((tmp_path / "index/manifest.json").read_text())["photo_kind"] == "dermatoscopic"
