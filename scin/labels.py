"""The names of conditions: what the codes of known datasets mean, and when two labels mean the same condition.

The codes of HAM10000 and PAD-UFES-20 are those of the lesion models, so that an answer has one name for a condition.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from ml.errors import MLError
from ml.models.phone_lesions import CLASSES
from ml.models.registry import SKLESION

#: ISIC's other codes and names → name (the challenge of 2019, and the archive's column "diagnosis")
_ISIC = {
    "ak": "Actinic keratosis",
    "sk": "Seborrheic keratosis",
    "nevus": "Melanocytic nevus",
    "naevus": "Melanocytic nevus",
    "melanocytic naevus": "Melanocytic nevus",
    "seborrhoeic keratosis": "Seborrheic keratosis",
    "melanoma, nos": "Melanoma",
}
#: SCIN's names for the same conditions; they are compared, never replaced
_SCIN = {"SCC/SCCIS": "Squamous cell carcinoma", "SK/ISK": "Seborrheic keratosis"}
#: what tables write if there is no label
_NO_LABEL = {"", "nan", "na", "n a", "none", "null", "unknown", "unk"}


class LabelError(MLError):
    """A file of labels cannot be used. The message says why."""


def plain(label: str) -> str:
    """The label's words in lower case: capitals and separators do not matter."""
    return " ".join(re.findall(r"[^\W_]+", label.casefold()))


def is_missing(label: str) -> bool:
    """Whether the label says that there is none."""
    return plain(label) in _NO_LABEL


@cache
def codes() -> Mapping[str, str]:
    """Code of a known dataset, as ``plain`` writes it → the condition's name."""
    models = (*CLASSES, *(SKLESION.lesion.classes if SKLESION.lesion else ()))
    return {plain(one.code): one.name for one in models} | {plain(code): name for code, name in _ISIC.items()}


def condition_name(label: str, own: Mapping[str, str] | None = None) -> str:
    """The name of a label: the one in ``own`` (label → name), else that of a known code, else the label itself."""
    return (own or {}).get(label) or codes().get(plain(label)) or label


class Names:
    """Finds the condition that a label means, whether it is written as a code or as a name."""

    def __init__(self, conditions: Iterable[str]) -> None:
        conditions = list(conditions)
        self._by_meaning = {_meaning(name): name for name in reversed(conditions)}
        self._by_words = {plain(name): name for name in conditions}

    def find(self, label: str) -> str | None:
        """One of the conditions, or None. The same words take precedence over the same meaning."""
        return self._by_words.get(plain(label)) or self._by_meaning.get(_meaning(label))


def _meaning(label: str) -> str:
    return plain(_SCIN.get(label) or condition_name(label))


def read_names(path: Path) -> dict[str, str]:
    """Label → name, from a CSV file with the columns ``label`` and ``name``. Raises LabelError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not {"label", "name"} <= set(rows.fieldnames or ()):
                raise LabelError(f"{path} needs the columns label and name.")
            return {row["label"].strip(): row["name"].strip() for row in rows if row["label"] and row["name"]}
    except (UnicodeDecodeError, csv.Error) as error:
        raise LabelError(f"{path} is not a CSV file in UTF-8.") from error
