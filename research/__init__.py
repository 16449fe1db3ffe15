"""How true the answers are, and the fits of what the service has learned. Never imported by the service."""
