"""Which cases to draw: every tone with every condition in balance, and each case's person, views and light.

Ten conditions cross ten tones. A block of 100 cases is a Latin square: each run of ten cases holds every tone and
every condition once, each block every pair once. So counts differ by one at most whatever the number of cases, every
pair occurs from 100 cases on, and the first cases of a long plan are the cases of a short one.
"""

from __future__ import annotations

import numpy as np

from scin.synthetic.conditions import CONDITIONS, Condition
from scin.synthetic.streams import Purpose, signed_id, stream
from scin.synthetic.tones import MONK_TONES, tones
from scin.synthetic.values import CaseSpec
from scin.synthetic.views import plan_views

RUN = len(CONDITIONS)
BLOCK = RUN * len(MONK_TONES)
WITHOUT_LABEL_EVERY = 2 * RUN  # one case in twenty
AGE_GROUPS = ("AGE_18_TO_29", "AGE_30_TO_39", "AGE_40_TO_49", "AGE_50_TO_59", "AGE_60_TO_69", "AGE_UNKNOWN")
SEXES = ("FEMALE", "MALE", "OTHER_OR_UNSPECIFIED")
HAIRY_PARTS = ("arm", "leg", "torso_front")


def plan_cases(cases: int, seed: int) -> list[CaseSpec]:
    """The plan of `cases` cases, the same for the same seed.

    Raises ValueError when `cases` is below 1 or `seed` is negative.
    """
    if cases < 1:
        raise ValueError(f"cases must be at least 1, not {cases}")
    if seed < 0:
        raise ValueError(f"seed must not be negative, not {seed}")
    return [_plan_case(seed, index) for index in range(cases)]


def _plan_case(seed: int, index: int) -> CaseSpec:
    rng = stream(seed, Purpose.CASE, index)
    monk, condition = _cell(seed, index)
    tone = tones()[monk - 1]
    quality = _quality(seed, index, monk)
    body_part = str(rng.choice(condition.body_parts))
    hairy = body_part in HAIRY_PARTS and rng.random() < 0.45
    return CaseSpec(
        case_id=signed_id(seed, index),
        index=index,
        seed=seed,
        condition=condition.name,
        monk=monk,
        melanin=tone.melanin * float(np.exp(0.08 * np.clip(rng.standard_normal(), -2, 2))),
        haemoglobin=tone.blood * float(np.exp(0.2 * np.clip(rng.standard_normal(), -2, 2))),
        severity=float(rng.uniform(0.75, 1.25)),
        hairiness=float(rng.uniform(0.3, 1.0)) if hairy else 0.0,
        oiliness=float(rng.uniform(0.15, 0.9)),
        body_part=body_part,
        age_group=str(rng.choice(AGE_GROUPS)),
        sex=str(rng.choice(SEXES)),
        quality=quality,
        views=plan_views(seed, index, condition.extent_mm, body_part, blurred=quality == "insufficient"),
    )


def _cell(seed: int, index: int) -> tuple[int, Condition]:
    block, place = divmod(index, BLOCK)
    run, step = divmod(place, RUN)
    order = stream(seed, Purpose.ORDER, block)
    tone_order, condition_order, run_order = (order.permutation(RUN) for _ in range(3))
    within = stream(seed, Purpose.ORDER, block, run).permutation(RUN)[step]
    condition = CONDITIONS[condition_order[(within + run_order[run]) % RUN]]
    return int(MONK_TONES[tone_order[within]]), condition


def _quality(seed: int, index: int, monk: int) -> str:
    """One case in twenty has no label, each tone in its turn; of those, one in four is gradable none the less."""
    group, place = divmod(index, WITHOUT_LABEL_EVERY)
    turn = stream(seed, Purpose.ORDER, 0).permutation(len(MONK_TONES))
    if place >= RUN or monk != MONK_TONES[turn[group % len(turn)]]:
        return "sufficient"
    return "unlabelled" if group % 4 == 3 else "insufficient"
