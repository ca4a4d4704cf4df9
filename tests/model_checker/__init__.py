"""Tests of the exploration."""
