"""That the client has words for every code of the service."""

from __future__ import annotations

from client.words import KINDS, plain, reason
from ml.analysis.routing import MODALITIES
from tests.decision_reasons import REASONS


def test_every_reason_of_a_decision_has_words() -> None:
    assert len(REASONS) > 10
    assert [code for code in REASONS if reason(code) == plain(code)] == []


def test_every_kind_that_may_be_stated_can_be_chosen() -> None:
    assert set(KINDS) == set(MODALITIES)
