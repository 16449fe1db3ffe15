"""The words that fields of an answer may hold. Each set of words is a named schema of the OpenAPI document."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, get_args

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from typing_extensions import TypeAliasType

from ml.analysis import comparison, findings, messages, scores, summary
from ml.analysis.routing import MODALITIES
from ml.skin.catalogue import CATALOGUE
from ml.skin.reference import KINDS
from ml.skin.tone import GROUPS
from ml.values import NOT_SKIN, PHOTO_KINDS
from web.language import LANGUAGES


@dataclass(frozen=True)
class Words:
    """Describes a text that is one of ``words``, for its schema. It is not checked: no answer is refused for it."""

    words: Collection[str]
    description: str

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "enum": [*self.words], "description": self.description}


def _measures() -> str:
    lines = (f"- `{name}`: {one.label}, in {one.unit}; higher is {one.direction}." for name, one in CATALOGUE.items())
    return "\n".join(["A measure:", *lines])


Band = TypeAliasType(
    "Band",
    Annotated[
        str, Words(("high", "possible", "unlikely"), "A probability in words: `high` from .33, `possible` from .10.")
    ],
)
Certainty = TypeAliasType(
    "Certainty",
    Annotated[
        str,
        Words(
            get_args(findings.Certainty),
            "`clear`: another photo of the same skin would show it too. `likely` and `uncertain`: less so.",
        ),
    ],
)
Change = TypeAliasType(
    "Change",
    Annotated[str, Words(get_args(comparison.Change), "How a measure changed from the first photo to the second.")],
)
DecisionKind = TypeAliasType(
    "DecisionKind",
    Annotated[
        str,
        Words(
            ("answer", "set", "abstain"),
            "`answer`: one condition. `set`: several, one of which is likely right. `abstain`: none is named.",
        ),
    ],
)
FindingCode = TypeAliasType(
    "FindingCode", Annotated[str, Words(messages.FINDINGS, "What a finding says, the same in every language.")]
)
Grade = TypeAliasType(
    "Grade", Annotated[str, Words(get_args(scores.Grade), "A score in words, compared with the photos of the index.")]
)
HeadlineCode = TypeAliasType(
    "HeadlineCode", Annotated[str, Words(messages.HEADLINES, "What a headline says, the same in every language.")]
)
LanguageCode = TypeAliasType("LanguageCode", Annotated[str, Words(LANGUAGES, "ISO 639 code of a language.")])
LesionDecisionKind = TypeAliasType(
    "LesionDecisionKind",
    Annotated[
        str,
        Words(
            ("answer", "set", "none_of_these"),
            "`answer`: one class. `set`: several. `none_of_these`: the photo is unlike those of the model's data.",
        ),
    ],
)
LesionInput = TypeAliasType(
    "LesionInput", Annotated[str, Words(("phone", "dermatoscopic"), "The kind of photo that a lesion model reads.")]
)
LesionSumName = TypeAliasType(
    "LesionSumName", Annotated[str, Words(("cancer", "cancer_or_precancerous"), "A group of a lesion model's classes.")]
)
MeasureName = TypeAliasType("MeasureName", Annotated[str, Words(CATALOGUE, _measures())])
ModalityLabel = TypeAliasType("ModalityLabel", Annotated[str, Words((*MODALITIES, NOT_SKIN), "The kind of a photo.")])
NextStepCode = TypeAliasType(
    "NextStepCode", Annotated[str, Words(messages.NEXT_STEPS, "What a next step says, the same in every language.")]
)
PhotoKind = TypeAliasType("PhotoKind", Annotated[str, Words(PHOTO_KINDS, "The kind of all photos of an index.")])
RankingMethod = TypeAliasType(
    "RankingMethod",
    Annotated[
        str,
        Words(
            ("vote", "head", "mixture"),
            "What ranks the conditions: a vote of the similar cases (`vote`), a classifier that was trained on all "
            "labelled cases (`head`), or a mixture of both.",
        ),
    ],
)
ReferenceKind = TypeAliasType("ReferenceKind", Annotated[str, Words(KINDS, "A colour reference in a photo.")])
StatedModality = TypeAliasType(
    "StatedModality", Annotated[str, Words(MODALITIES, "The kind of photo that a request states.")]
)
ToneGroup = TypeAliasType("ToneGroup", Annotated[str, Words(GROUPS, "The colour of the skin in a photo.")])
Urgency = TypeAliasType(
    "Urgency", Annotated[str, Words(get_args(summary.Urgency), "How soon a doctor should see a condition.")]
)
Verdict = TypeAliasType(
    "Verdict", Annotated[str, Words(get_args(comparison.Place), "Whether two photos show the same place.")]
)
VerdictMethod = TypeAliasType(
    "VerdictMethod", Annotated[str, Words(get_args(comparison.Method), "How the places were compared.")]
)
