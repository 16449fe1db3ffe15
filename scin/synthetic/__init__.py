"""A generated dataset in SCIN's form, to run and test the whole service without the real one.

Skin is drawn from an optical model of melanin and blood, in all ten Monk tones, with lesions of ten conditions. No
image or row comes from a person, and the dataset says so in its release column and its README.
"""

from __future__ import annotations

from scin.synthetic.conditions import CONDITIONS, Condition
from scin.synthetic.dataset import generate_dataset
from scin.synthetic.plan import CaseSpec, plan_cases
from scin.synthetic.render import RenderedView, render_case
from scin.synthetic.tables import RELEASE, SOURCE

__all__ = [
    "CONDITIONS",
    "RELEASE",
    "SOURCE",
    "CaseSpec",
    "Condition",
    "RenderedView",
    "generate_dataset",
    "plan_cases",
    "render_case",
]
