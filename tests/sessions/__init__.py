"""Tests of llm_gc.sessions."""
