"""The real tables of SCIN, where they lie beside the repository: groups, and the conditions of published figures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from scin.dataset import read_dataset
from scin.evaluate.cases import MONK_GROUP, LabelledCases, labelled_cases
from scin.evaluate.metrics import commonest
from scin.index.cases import StoredCase, StoredPhoto
from storage import open_storage
from tests.unit.scin.index_folder import unit


@pytest.fixture(scope="module")
def cases(shared_data: Path) -> LabelledCases:
    """The labelled cases with embeddings that mean nothing; the same path has the same one."""
    labelled = [case for case in read_dataset(open_storage(str(shared_data / "scin"))).cases if case.label.weights]
    paths = {image.path: row for row, image in enumerate(image for case in labelled for image in case.images)}
    places = {path: place for place, path in enumerate(paths)}
    stored = [
        StoredCase.of(case, [StoredPhoto(places[image.path], 0, 1, None) for image in case.images]) for case in labelled
    ]
    return labelled_cases(stored, unit(np.random.default_rng(1).normal(size=(len(paths), 32))))


def test_photos_that_occur_in_several_cases_join_them(cases: LabelledCases) -> None:
    assert (len(cases), len(cases.photos), len(cases.vectors)) == (3061, 6518, 6506)
    assert 3061 - len(set(cases.groups.tolist())) == 7


def test_the_ten_commonest_conditions_are_those_of_the_published_figure(cases: LabelledCases) -> None:
    assert {cases.conditions[c] for c in commonest(cases)} == {
        "Allergic Contact Dermatitis",
        "Drug Rash",
        "Eczema",
        "Folliculitis",
        "Herpes Zoster",
        "Insect Bite",
        "Irritant Contact Dermatitis",
        "Psoriasis",
        "Tinea",
        "Urticaria",
    }


def test_several_conditions_lead_in_three_of_ten_cases(cases: LabelledCases) -> None:
    """Counting only the first listed would call many right answers wrong."""
    assert (cases.leading.sum(axis=1) > 1).mean() == pytest.approx(0.3, abs=0.01)


def test_few_cases_are_of_the_darkest_tones(cases: LabelledCases) -> None:
    assert Counter(cases.tones[MONK_GROUP].tolist()) == {"Monk 1–4": 2684, "Monk 5–7": 357, "Monk 8–10": 14, "": 6}
