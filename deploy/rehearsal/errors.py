"""What can go wrong in a rehearsal."""

from __future__ import annotations


class RehearsalError(Exception):
    """The rehearsal itself cannot go on: a tool is missing, a port is taken. One line that says what to do."""


class DeployError(Exception):
    """The deployment failed, as it would on the platform. One line that says why and what to do."""


class CheckError(Exception):
    """The deployed service does not do what it must."""
