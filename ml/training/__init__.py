"""Fits the small models that the repository ships. Only commands import it; nothing that serves does."""
