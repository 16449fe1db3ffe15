"""Cosmetic mode: removes everything from an analysis that names, shows or scores a disease."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ml import values
from ml.skin.catalogue import CATALOGUE

COSMETIC = "cosmetic_mode"


def without_diseases(analysis: values.Analysis) -> values.Analysis:
    """``analysis`` without conditions, differentials, the lesion with its measurements and overlays, and notes, which
    may name diseases. Every response profile is made from the result."""
    return replace(
        analysis,
        conditions=(),
        lesion=None,
        decision=_decision(analysis.decision),
        accuracy=None,
        accuracy_reason=COSMETIC,
        skin=_skin(analysis.skin),
        similar_cases=tuple(replace(case, differential={}, dermatologists={}) for case in analysis.similar_cases),
        overlays=tuple(overlay for overlay in analysis.overlays if not overlay.clinical),
        notes=(),
    )


def _decision(decision: values.Decision) -> values.Decision:
    reasons = decision.reasons if decision.kind == "abstain" else ()
    return values.Decision("abstain", reasons=(*reasons, COSMETIC))


def _skin(skin: values.Skin) -> values.Skin:
    zones = skin.zones and tuple(replace(zone, measurements=_not_clinical(zone.measurements)) for zone in skin.zones)
    return replace(skin, measurements=_not_clinical(skin.measurements), zones=zones)


def _not_clinical(measurements: Iterable[values.Measurement]) -> tuple[values.Measurement, ...]:
    """The measurements that the catalogue does not mark clinical."""
    return tuple(one for one in measurements if not CATALOGUE[one.name].clinical)
