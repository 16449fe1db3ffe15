"""Trains the encoder on a dataset: ``python -m scin train``. Only this command imports it; nothing that serves does."""
