"""Fits the heads that classify the kind of a photo: ``python -m research.photo_kind --help``."""
