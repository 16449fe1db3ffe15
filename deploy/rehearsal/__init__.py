"""Rehearses `eb deploy` without an AWS account: the real EB CLI runs against a local simulation of the platform."""
