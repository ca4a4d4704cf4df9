"""Tests of what test files are."""
