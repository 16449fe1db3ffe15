"""The Observations that compare the photo with labelled ones: conditions and kinds of lesion, with probabilities.

They are Observations and not Conditions, because nothing is diagnosed. Probabilities of one distribution are components
of one Observation, because each says little without the others.
"""

from __future__ import annotations

from collections.abc import Iterator

from web.answers import AnalysisAnswer
from web.answers.disease import Accuracy, Lesion, LesionSum, Prediction
from web.profiles.fhir.elements import (
    OWN_NAMES,
    Element,
    absent,
    coding,
    component,
    concept,
    disease,
    observation,
    own,
    quantity,
)
from web.wire import payload

_CALIBRATED = "The probabilities are calibrated: of labelled photos rated like this, about such a share shows it."
_NO_LESION_MODEL = "No lesion model rated this photo."


def conditions(answer: AnalysisAnswer) -> Element:
    """The conditions that the decision allows to name. If it abstains, the reasons instead, and no condition."""
    code = own("conditions", "Conditions that labelled photos like this one show")
    decision, index = answer.decision, answer.index
    if decision.kind == "abstain":
        why = f"No condition is named: {', '.join(decision.reasons)}."
        return observation(code, absent("unknown", why))
    value: Element = {"valueString": _possible(decision.set)}
    if index is not None:
        value["method"] = concept(f"{index.method} over the index {index.name}, data set {index.dataset}")
    parts = [
        component(disease(one.name, one.icd_10), valueQuantity=_share(payload(one)["calibrated_probability"]))
        for one in answer.conditions
        if one.calibrated_probability is not None
    ]
    return observation(code, value, parts, [*_coverage(decision.coverage), _CALIBRATED, *_accuracy(answer.accuracy)])


def lesion(rated: Lesion | None) -> Element:
    """The rating of a lesion model."""
    code = own("lesion", "Kinds of lesion that labelled photos like this one show")
    if rated is None:
        return observation(code, absent("not-performed", _NO_LESION_MODEL))
    decision = rated.decision
    value: Element = {"method": concept(f"{rated.model}, for {rated.input} photos")}
    if decision is not None and decision.kind == "none_of_these":
        value["valueString"] = "None of the kinds of lesion that the model knows."
    elif decision is not None:
        names = {one.code: one.name for one in rated.predictions}
        value["valueString"] = _possible([names.get(code, code) for code in decision.set])
    coverage = _coverage(decision.coverage if decision else None)
    calibrated = [_CALIBRATED] if rated.predictions else []
    return observation(code, value, [*_classes(rated)], [*coverage, *calibrated, rated.caveat])


def _classes(rated: Lesion) -> Iterator[Element]:
    for one in rated.predictions:
        yield component(_kind(one), valueQuantity=_share(payload(one)["probability"]))
    for total in rated.sums:
        yield component(own(total.name, _words(total)), valueQuantity=_share(payload(total)["probability"]))
    if rated.malignant_probability is not None:
        malignant = payload(rated)["malignant_probability"]
        yield component(own("malignant_probability", rated.definition), valueQuantity=_share(malignant))


def _kind(one: Prediction) -> Element:
    named = disease(one.name, one.icd_10)
    return concept(one.name, coding(OWN_NAMES, one.code), *named.get("coding", []))


def _words(total: LesionSum) -> str:
    return f"{total.name.replace('_', ' ')}: {', '.join(total.codes)}"


def _share(rounded: float) -> Element:
    return quantity(rounded, "probability")


def _possible(names: list[str]) -> str:
    return f"Possible: {', '.join(names)}"


def _coverage(coverage: float | None) -> list[str]:
    if coverage is None:
        return []
    return [f"A right one is among the possible ones for {coverage:.0%} of photos like those of the data."]


def _accuracy(accuracy: Accuracy | None) -> list[str]:
    if accuracy is None:
        return []
    low, high = accuracy.interval
    return [
        f"Measured {accuracy.metric}: {accuracy.value:.2f} (95% interval {low:.2f} to {high:.2f}) on {accuracy.n} "
        f"cases of {accuracy.dataset}; skin tones: {accuracy.group}."
    ]
