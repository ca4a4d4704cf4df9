"""Benchmarks: whole processes, measured beside one another in the same run, so that ratios mean something."""
