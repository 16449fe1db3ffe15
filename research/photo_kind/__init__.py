"""Fits the heads that tell the kind of a photo: ``python -m research.photo_kind --help``."""
