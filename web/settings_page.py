"""The page docs/settings.md, made from the settings: ``python -m web.settings_page > docs/settings.md``."""

from __future__ import annotations

import sys

from pydantic.fields import FieldInfo

from settings import Settings, allowed_values

_HEAD = """# Settings

All settings are environment variables, read once, when the service starts. A value that cannot be used stops
the start with one line that names the variable, the value and what is allowed. An empty value counts as none.

This page is made by `python -m web.settings_page > docs/settings.md`.

| name | type | default | meaning |
|---|---|---|---|
"""


def markdown() -> str:
    """The whole page."""
    return _HEAD + "".join(_row(field) for field in Settings.model_fields.values())


def _row(field: FieldInfo) -> str:
    meaning = " ".join(str(field.description).split())
    cells = (f"`{field.validation_alias}`", allowed_values(field), _default(field), meaning)
    return f"| {' | '.join(cells)} |\n"


def _default(field: FieldInfo) -> str:
    if field.default in (None, (), ""):
        return "–"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return f"`{field.default:g}`" if isinstance(field.default, float) else f"`{field.default}`"


if __name__ == "__main__":
    sys.stdout.write(markdown())
