"""calibration.json, and what makes probabilities of shares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.errors import ArtifactError
from scin.index.vote import (
    CALIBRATION_FILE,
    FORMAT,
    Accuracy,
    Calibration,
    Quantile,
    Scaling,
    probabilities,
    read_calibration,
)

SURE = Scaling(1.0, -50.0, 0.0)

CALIBRATION = Calibration(
    format=FORMAT,
    scaling=Scaling(1.3, -1.0, -0.5),
    conditions=("Acne", "Eczema"),
    quantiles={"0.90": {"all": Quantile(200, 0.8), "Monk 8–10": Quantile(4, None)}},
    distances=(0.1, 0.5),
    outlier=0.5,
    accuracy={"all": {"top-1": Accuracy(200, 0.4, 0.3, 0.5)}, "Monk 8–10": {"top-1": Accuracy(4, None, None, None)}},
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    CALIBRATION.write(tmp_path)
    assert read_calibration(tmp_path) == CALIBRATION


def test_a_missing_one_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="python -m scin evaluate --index"):
        read_calibration(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 3, "scaling": {}}'])
def test_a_damaged_one_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / CALIBRATION_FILE).write_text(text)
    with pytest.raises(ArtifactError, match=r"(damaged|this version reads).*Write it again: python -m scin evaluate"):
        read_calibration(tmp_path)


def test_without_doubt_temperature_one_changes_nothing() -> None:
    shares = np.array([[0.6, 0.4, 0.0], [0.2, 0.3, 0.5]])
    assert probabilities(shares, SURE) == pytest.approx(shares)


def test_a_low_temperature_sharpens() -> None:
    (row,) = probabilities(np.array([[0.6, 0.3, 0.1]]), Scaling(0.5, -50.0, 0.0))
    assert row == pytest.approx(np.array([0.36, 0.09, 0.01]) / 0.46)


def test_doubt_gives_its_part_to_all_conditions_alike() -> None:
    (row,) = probabilities(np.array([[1.0, 0.0, 0.0]]), Scaling(1.0, 0.0, 0.0))
    assert row == pytest.approx([0.5 + 0.5 / 3, 0.5 / 3, 0.5 / 3])


def test_agreement_lessens_doubt() -> None:
    agreed, divided = probabilities(np.array([[0.9, 0.1, 0.0], [0.5, 0.5, 0.0]]), Scaling(1.0, 0.0, -1.0))
    assert divided[2] == pytest.approx(0.5 / 3)  # logit 0: even odds
    assert agreed[2] == pytest.approx(0.1 / 3)  # logit of .9 at slope −1: a tenth


def test_a_case_without_any_share_has_equal_probabilities() -> None:
    assert probabilities(np.zeros((1, 4)), Scaling(1.0, -1.0, -0.5)) == pytest.approx(np.full((1, 4), 0.25))


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
    st.floats(0.1, 10),
    st.floats(-8, 8),
    st.floats(-8, 0),
)
def test_probabilities_sum_to_one_and_keep_the_order(
    raw: list[float], temperature: float, intercept: float, slope: float
) -> None:
    shares = np.array([raw]) / (sum(raw) or 1.0)
    (row,) = probabilities(shares, Scaling(temperature, intercept, slope))
    assert row.sum() == pytest.approx(1)
    assert (row >= 0).all()
    ranks = np.argsort(-shares[0], kind="stable")
    assert (np.diff(row[ranks]) <= 1e-12).all()
