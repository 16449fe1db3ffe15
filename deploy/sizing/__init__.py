"""Measures the memory and CPU time of the service, and recommends an instance type for a given load."""
