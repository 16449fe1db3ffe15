"""Reads .ebextensions and saved configurations like the platform, but reports a repeated key as an error.

YAML silently keeps the last of two equal keys, so a namespace that occurs twice in a file loses its first settings.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml

#: the allowed top-level keys of a .config file; the platform ignores misspelt ones
TOP_LEVEL = frozenset(
    {
        "option_settings", "Resources", "packages", "sources", "files", "users", "groups",
        "commands", "container_commands", "services",
    }
)  # fmt: skip


class ConfigError(ValueError):
    """A file that the platform would refuse or misread."""


class _StrictLoader(yaml.SafeLoader):
    """A YAML loader that refuses repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        repeated = sorted({str(key) for key in keys if keys.count(key) > 1})
        if repeated:
            line = node.start_mark.line + 1
            raise ConfigError(f"line {line}: {', '.join(repeated)} occurs twice; only the last one would be used")
        return super().construct_mapping(node, deep)


def load(path: Path) -> dict[str, Any]:
    """Load one file. Raises ConfigError, which names the file."""
    try:
        # The loader is a SafeLoader, so it constructs only plain values.
        loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506
    except (yaml.YAMLError, ConfigError) as error:
        raise ConfigError(f"{path.name}: {error}") from error
    if not isinstance(loaded, dict):
        raise ConfigError(f"{path.name}: the file has no settings")
    return loaded


def config_files(root: Path) -> list[Path]:
    """The files that the platform reads, in the order in which it reads them."""
    return sorted((root / ".ebextensions").glob("*.config"))


def option_settings(config: dict[str, Any]) -> Iterator[tuple[str, str, object]]:
    """(namespace, option, value) of one loaded file."""
    for namespace, options in (config.get("option_settings") or {}).items():
        for option, value in options.items():
            yield str(namespace), str(option), value


def all_settings(root: Path) -> dict[tuple[str, str], object]:
    """{(namespace, option): value} of all files. Raises ConfigError if two files set the same option."""
    settings: dict[tuple[str, str], object] = {}
    for path in config_files(root):
        for namespace, option, value in option_settings(load(path)):
            if (namespace, option) in settings:
                raise ConfigError(f"{path.name}: {namespace}: {option} is also set by another file")
            settings[namespace, option] = value
    return settings


def resources(paths: list[Path]) -> dict[str, Any]:
    """The CloudFormation resources of several files. Raises ConfigError if two files define the same name."""
    merged: dict[str, Any] = {}
    for path in paths:
        for name, resource in (load(path).get("Resources") or {}).items():
            if name in merged:
                raise ConfigError(f"{path.name}: the resource {name} is also defined by another file")
            merged[name] = resource
    return merged
