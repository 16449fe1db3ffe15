"""Names of request fields: the many spellings of one name, and messages that repeat a client's names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from itertools import islice

from web.parts import is_missing

_LONGEST_NAME = 100
_WORD_STARTS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SEPARATORS = re.compile(r"[\s/_-]+")
#: limits of the names that a message repeats: how many, the length of each, and characters that are replaced
_MOST_NAMES = 20
_LONGEST_REPEATED = 40
_NOT_REPEATED = re.compile(r"[^\w.\[\]-]")
#: fields that notes name one by one
_MOST_NOTES = 5
#: similarity, 0–1, from which a known name is suggested
_SIMILAR = 0.7


def spelled(word: str) -> str:
    """`Close-up` → `close_up`."""
    return _SEPARATORS.sub("_", word[:_LONGEST_NAME].strip().lower())


def field_name(name: str) -> str:
    """`bodySite` and `Body-Site` → `body_site`."""
    return spelled(_WORD_STARTS.sub("_", name[:_LONGEST_NAME]))


def present(fields: Iterable[tuple[str, object]]) -> dict[str, object]:
    """The fields that have a value, under normalised names. If a name occurs more than once, the last value counts."""
    return {
        field_name(name): value.strip() if isinstance(value, str) else value
        for name, value in fields
        if not is_missing(value)
    }


def repeatable(names: Iterable[str]) -> list[str]:
    """The first ``names``, without duplicates, cut and cleaned so that a message may repeat them."""
    return list(dict.fromkeys(shown for name in islice(names, _MOST_NAMES) if (shown := _shown(name))))


def notes_on_unknown(names: Iterable[str], known: Collection[str]) -> list[str]:
    """A note for people about each of the ``names`` that are not ``known``, for the first ones; ``known`` are
    normalised. A note names the known one that is most similar, if one is."""
    unknown = list(islice(_unknown(names, known), _MOST_NOTES + 1))
    notes = [_note(name, known) for name in unknown[:_MOST_NOTES]]
    return [*notes, "Further fields are not known and were ignored."] if len(unknown) > _MOST_NOTES else notes


def _unknown(names: Iterable[str], known: Collection[str]) -> Iterator[str]:
    seen = set(known)
    for name in names:
        normalised = field_name(name)
        if normalised and normalised not in seen:
            seen.add(normalised)
            yield name


def _note(name: str, known: Collection[str]) -> str:
    note = f"The field '{_shown(name)}' is not known and was ignored."
    similar = get_close_matches(field_name(name)[:_LONGEST_REPEATED], known, n=1, cutoff=_SIMILAR)
    return f"{note} Did you mean {similar[0]}?" if similar else note


def _shown(name: str) -> str:
    return _NOT_REPEATED.sub("?", name[:_LONGEST_REPEATED])
