"""The summary of an analysis as a part of its answer: sentences in one language."""

from __future__ import annotations

from ml.analysis import messages, summary
from web.answers.words import Certainty, FindingCode, HeadlineCode, NextStepCode
from web.language import Language
from web.wire import Wire


class Finding(Wire):
    """One thing that was found."""

    code: FindingCode
    """What it says, for programs."""
    text: str
    """What it says, for people."""
    basis: str
    """The path of the answer's field that says it. A measure, a zone, a sum or a problem is addressed by its name or
    code, such as `skin.zones.nose.zone_redness_difference`."""
    certainty: Certainty
    """How certain it is."""


class Summary(Wire):
    """The answer for people, in sentences."""

    headline: str
    """What was seen."""
    headline_code: HeadlineCode
    """What the headline says, for programs."""
    certainty: Certainty
    """How certain the headline is."""
    findings: list[Finding]
    """At most five, the most important first."""
    next_step: str
    """What to do."""
    next_step_code: NextStepCode
    """What the next step says, for programs."""
    limits: str
    """What the answer does not tell."""


def render_summary(made: summary.Summary, language: Language) -> Summary:
    """``made`` as sentences in ``language``."""
    return Summary(
        headline=language.render(made.headline, messages.HEADLINES),
        headline_code=made.headline.code,
        certainty=made.certainty,
        findings=[
            Finding(
                code=one.text.code,
                text=language.render(one.text, messages.FINDINGS),
                basis=one.basis,
                certainty=one.certainty,
            )
            for one in made.findings
        ],
        next_step=language.render(made.next_step, messages.NEXT_STEPS),
        next_step_code=made.next_step.code,
        limits=language.render(made.limits, messages.LIMITS),
    )
