"""The client has words for every code of the service."""

from __future__ import annotations

from client import table
from ml.analysis.routing import MODALITIES
from tests import decision_reasons


def test_every_reason_of_a_decision_has_words() -> None:
    assert len(decision_reasons.REASONS) > 10
    assert set(decision_reasons.REASONS) <= set(table.REASONS)


def test_every_kind_that_may_be_stated_can_be_chosen() -> None:
    assert set(table.KINDS) == set(MODALITIES)
