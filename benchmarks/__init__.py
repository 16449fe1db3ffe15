"""What was measured, by commands that anyone can run. Never imported by the service."""
