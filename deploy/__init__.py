"""Deployment tools: checks of the configuration files, a rehearsal of `eb deploy`, and sizing."""
