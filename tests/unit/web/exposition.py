"""Reads what a scrape shows."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

Samples = Mapping[tuple[str, tuple[str, ...]], float]


def samples(page: bytes | str) -> Samples:
    """(name, label values in the order of the labels' names) → value."""
    text = page if isinstance(page, str) else page.decode()
    return {
        (sample.name, tuple(sample.labels[label] for label in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
