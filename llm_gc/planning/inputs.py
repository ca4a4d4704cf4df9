"""The inputs of a plan: those that are given, and a mark for each other one that may be any text."""

from __future__ import annotations

from collections.abc import Mapping

from llm_gc.drivers.explore.supplied import Supplied, supply
from llm_gc.inputs import misfit
from llm_gc.pipeline import Pipeline


def supplied(pipeline: Pipeline, given: Mapping[str, str]) -> tuple[dict[str, Supplied], set[str]]:
    """Give a value for each input, and the names of those that a mark stands for, as ``⟨task⟩``.

    Raises:
        UsageError: naming every input that is unknown or does not fit.

    """
    marks: dict[str, str] = {}
    for name, schema in pipeline.inputs.items():
        mark = f"⟨{name}⟩"
        if name not in given and "default" not in schema and not misfit(mark, schema):
            marks[name] = mark
    return supply(pipeline, {**given, **marks}, texts=True), set(marks)
