"""A generated dataset in SCIN's form, to run and test the whole service where the real one cannot be had.

The skin is drawn from an optical model of melanin and blood, in all ten Monk tones, with lesions of ten conditions;
no image or row is of a person, and the dataset says so in its release column and its README.
"""

from __future__ import annotations

from scin.synthetic.conditions import CONDITIONS, Condition
from scin.synthetic.dataset import DatasetSummary, generate_dataset
from scin.synthetic.plan import plan_cases
from scin.synthetic.render import render_case
from scin.synthetic.tables import RELEASE, SOURCE
from scin.synthetic.tones import Tone, tones
from scin.synthetic.values import GENERATOR_VERSION, CaseSpec, RenderedView, ViewSpec

__all__ = [
    "CONDITIONS",
    "GENERATOR_VERSION",
    "RELEASE",
    "SOURCE",
    "CaseSpec",
    "Condition",
    "DatasetSummary",
    "RenderedView",
    "Tone",
    "ViewSpec",
    "generate_dataset",
    "plan_cases",
    "render_case",
    "tones",
]
