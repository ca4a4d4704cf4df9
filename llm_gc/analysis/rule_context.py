"""What a rule is given: the facts of a pipeline, with its dataflow and its worst case, computed once for all rules."""

from __future__ import annotations

from functools import cached_property

from llm_gc.analysis.dataflow import Dataflow
from llm_gc.analysis.pipeline_facts import PipelineFacts
from llm_gc.analysis.worst_case import WorstCase


class RuleContext(PipelineFacts):
    """A pipeline under examination. What is computed is computed when the first rule asks for it."""

    @cached_property
    def flow(self) -> Dataflow:
        """What is known at each place: which names are set, and what they hold."""
        return Dataflow(self)

    @cached_property
    def course(self) -> WorstCase:
        """The longest course that the conversation can take."""
        return WorstCase(self)
