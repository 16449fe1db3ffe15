"""What must stand beside anything that comes from a dataset: its source, its licence, its duties."""

from __future__ import annotations

from collections.abc import Mapping

SCIN: Mapping[str, str] = {
    "dataset": "SCIN (Skin Condition Image Network) Dataset",
    "source": "https://github.com/google-research-datasets/scin",
    "licence": "SCIN Data Use License",
    "citation": "Ward et al., Creating an Empirical Dermatology Dataset Through Crowdsourcing With Web Search "
    "Advertisements, JAMA Network Open 2024;7(11):e2446615",
    "changes": "Photos are reduced to thumbnails of 160 pixels and to embeddings.",
    "notice": "No endorsement is implied. Attempts to re-identify contributors are forbidden and end all rights.",
}
SYNTHETIC: Mapping[str, str] = {
    "dataset": "Generated sample in SCIN's layout",
    "source": "python -m scin sample",
    "licence": "CC0-1.0",
    "notice": "Every photo and label is computer-generated: no person, no patient, no medical meaning. "
    "A demonstration only; its condition names show the format.",
}


def attribution(synthetic: bool) -> Mapping[str, str]:
    return SYNTHETIC if synthetic else SCIN
