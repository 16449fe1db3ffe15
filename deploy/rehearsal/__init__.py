"""Rehearses `eb deploy` without an account: the real EB CLI against a small stand-in for the platform, on loopback."""
