"""Tests of llm_gc.validation."""
