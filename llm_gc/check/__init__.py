"""What is wrong with a document, before a model is asked: its shape first, then rule by rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llm_gc.check.problem import Problem
from llm_gc.pipeline import Pipeline

__all__ = ["Problem", "run_rules"]


def run_rules(pipeline: Pipeline, prompts: Mapping[str, str]) -> Iterator[tuple[str, Problem]]:
    """Run every rule; give each problem with the rule's code."""
    from llm_gc.check.rules import RULES

    for code, rule in RULES.items():
        for problem in rule(pipeline, prompts):
            yield code, problem
