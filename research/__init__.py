"""Evaluates the accuracy of the answers and fits the learned parameters. The service never imports it."""
