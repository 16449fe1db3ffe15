"""Languages: which one a client asks for, and texts for people in it.

A text's English words are the key of its translation in ``translations/<language>.po`` (gettext). Numbers and lists are
written as the language writes them (Babel, from Unicode's CLDR).
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from gettext import NullTranslations
from pathlib import Path
from typing import Literal

from babel import Locale
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import Translations
from werkzeug.datastructures import LanguageAccept

from ml.analysis.messages import Clause, Listed, Message, Value
from scin.conditions import lay_name

ENGLISH = "en"
FOLDER = Path(__file__).with_name("translations")
#: the languages of the summary; the first one is for clients that ask for none of them
LANGUAGES = (ENGLISH, *sorted(path.stem for path in FOLDER.glob("*.po")))
_STYLES: Mapping[str, Literal["standard", "or"]] = {"and": "standard", "or": "or"}


@dataclass(frozen=True)
class Language:
    """One of LANGUAGES by its ``code``."""

    code: str = ENGLISH

    def render(self, message: Message, texts: Mapping[str, str | tuple[str, str]]) -> str:
        """``message`` as a sentence. ``texts``: code → English text."""
        text, values = texts[message.code], message.values
        if isinstance(text, str):
            found = self.translate(text)
        else:
            number = values["number"]
            found = _translations(self.code).ngettext(*text, number if isinstance(number, int) else 2)
        return found.format(**{name: self._value(value) for name, value in values.items()})

    def translate(self, text: str) -> str:
        """The translation of an English text; the text itself if there is none."""
        return _translations(self.code).gettext(text)

    def _value(self, value: Value) -> str:
        if isinstance(value, str):
            return self.translate(value)
        if isinstance(value, Listed):
            texts = [self.translate(lay_name(one) if value.conditions else one) for one in value.texts]
            return format_list(texts, _STYLES[value.by], locale=Locale(self.code))
        if isinstance(value, Clause):
            sentence = self.translate(value.sentence)
            return sentence[:1].lower() + sentence[1:].removesuffix(".")
        return format_decimal(value, locale=Locale(self.code))


def best_language(accepted: LanguageAccept) -> Language:
    """The language that suits an Accept-Language header best."""
    return Language(accepted.best_match(LANGUAGES, default=ENGLISH))


@cache
def _translations(code: str) -> NullTranslations:
    if code == ENGLISH:
        return NullTranslations()
    with (FOLDER / f"{code}.po").open("rb") as file:
        catalogue = read_po(file, locale=code)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)
