"""What a dataset states about itself: its name, licence and attribution, and the kind of its photos.

A dataset in SCIN's layout states this in ``dataset.json`` beside the two tables. SCIN has no such file; it is
recognised by the column ``source`` of its cases, and so is the generated sample.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from ml.values import CLINICAL, PHOTO_KINDS
from storage import NotFoundError, Storage, StorageError
from storage.base import write_atomically

FACTS_FILE = "dataset.json"
FORMAT = 1
#: values of the column ``source``
SCIN_SOURCE, SYNTHETIC_SOURCE = "SCIN", "SYNTHETIC"
_NEEDED = ("dataset", "licence")
_CHANGES = "Photos are reduced to thumbnails of 160 pixels and to embeddings."

SCIN: Mapping[str, str] = {
    "dataset": "SCIN (Skin Condition Image Network) Dataset",
    "source": "https://github.com/google-research-datasets/scin",
    "licence": "SCIN Data Use License",
    "citation": "Ward et al., Creating an Empirical Dermatology Dataset Through Crowdsourcing With Web Search "
    "Advertisements, JAMA Network Open 2024;7(11):e2446615",
    "changes": _CHANGES,
    "notice": "No endorsement is implied. Attempts to re-identify contributors are forbidden and end all rights.",
}
SYNTHETIC: Mapping[str, str] = {
    "dataset": "Generated sample in SCIN's layout",
    "source": "python -m scin sample",
    "licence": "CC0-1.0",
    "notice": "Every photo and label is computer-generated: no person, no patient, no medical meaning. "
    "A demonstration only; its condition names show the format.",
}
UNNAMED: Mapping[str, str] = {
    "dataset": "A dataset without a name",
    "licence": "not stated",
    "notice": "This dataset does not state its licence. Ask its owner before you use it or pass it on.",
}


@dataclass(frozen=True)
class DatasetFacts:
    """``attribution``: the name ("dataset"), source, licence and notices that must accompany everything derived from
    the dataset. ``photo_kind`` is one of ml.values.PHOTO_KINDS."""

    attribution: Mapping[str, str]
    photo_kind: str = CLINICAL


def credit(*, name: str, licence: str, citation: str, source: str) -> dict[str, str]:
    """The attribution of an imported dataset. An empty ``source`` is left out."""
    stated = {"dataset": name, "source": source, "licence": licence, "citation": citation, "changes": _CHANGES}
    return {key: text for key, text in stated.items() if text}


def write_facts(folder: Path, facts: DatasetFacts) -> None:
    text = json.dumps({"format": FORMAT, **asdict(facts)}, indent=1, sort_keys=True, ensure_ascii=False)
    write_atomically(folder / FACTS_FILE, f"{text}\n".encode())


def read_facts(store: Storage, sources: Set[str]) -> DatasetFacts:
    """The facts of the dataset in ``store`` whose cases have these ``sources``. Raises StorageError if its file is
    damaged or cannot be read."""
    if SYNTHETIC_SOURCE in sources:
        return DatasetFacts(SYNTHETIC)
    if sources == {SCIN_SOURCE}:
        return DatasetFacts(SCIN)
    try:
        written = store.read(FACTS_FILE)
    except NotFoundError:
        return DatasetFacts(UNNAMED)
    try:
        stated = json.loads(written)
        facts = TypeAdapter(DatasetFacts).validate_python(stated)
    except ValueError as error:
        raise StorageError(f"{FACTS_FILE} in {store.uri} is damaged. Import the dataset again.") from error
    if stated.get("format") != FORMAT:
        raise StorageError(f"{FACTS_FILE} in {store.uri} has another format than {FORMAT}. Import the dataset again.")
    if facts.photo_kind not in PHOTO_KINDS or not all(facts.attribution.get(key) for key in _NEEDED):
        raise StorageError(
            f"{FACTS_FILE} in {store.uri} must state the dataset, its licence, and a photo_kind of "
            f"{' or '.join(PHOTO_KINDS)}."
        )
    return facts
