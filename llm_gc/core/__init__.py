"""The sans-IO core: a conversation as a pure function of its pipeline, its inputs and the replies it is given."""

from llm_gc.core.interpreter import Conversation
from llm_gc.core.outcome import Exchange, Outcome, Turn
from llm_gc.core.run_context import Files
from llm_gc.core.trace import TraceEvent

__all__ = ["Conversation", "Exchange", "Files", "Outcome", "TraceEvent", "Turn"]
