"""What is wrong with a document, before a model is asked: its shape first, then rule by rule."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from llm_gc.analysis.problem import NO_FACTS, FileFacts, Problem
from llm_gc.language.pipeline import Pipeline

__all__ = ["FileFacts", "Problem", "run_rules"]


def run_rules(
    pipeline: Pipeline,
    prompts: Mapping[str, str],
    scenes: Mapping[str, Pipeline] | None = None,
    *,
    leaves: Collection[str] | None = (),
    alone: bool = True,
    facts: FileFacts = NO_FACTS,
) -> Iterator[tuple[str, Problem]]:
    """Run every rule; return each problem with the rule's code.

    ``leaves`` are the keys that were cut away, since what is there is broken: rules that read them are not run.
    Where it is none, more than that was, and only those rules are run that make nothing of what is not there. Where the
    pipeline is not ``alone`` but is played by a scene, that may give an opening.
    ``scenes`` are the pipelines that its scenes play, by the names of their files, as far as they can be loaded.
    """
    from llm_gc.analysis.rule_context import RuleContext
    from llm_gc.analysis.rules import RULES

    whole = leaves is not None
    subject, told = RuleContext(pipeline, prompts, scenes, whole=whole, facts=facts), set[str]()
    for code, rule in RULES.items():
        is_run = (whole or not getattr(rule, "WHOLE", False)) and (alone or not getattr(rule, "ALONE", False))
        is_run = is_run and getattr(rule, "READS", frozenset()).isdisjoint(leaves or ())
        if is_run and told.isdisjoint(getattr(rule, "AFTER", ())):
            severity = getattr(rule, "SEVERITY", None)
            for problem in rule.check(subject):
                told.add(code)
                yield code, replace(problem, severity=severity) if severity else problem
