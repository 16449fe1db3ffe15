"""Speed, memory and load, measured by commands that anyone can run. Never imported by the service."""
