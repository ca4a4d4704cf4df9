"""The sans-IO core: a conversation as a pure function of its pipeline, its inputs and the replies it is given."""

from llm_gc.conversation.stage import Files
from llm_gc.conversation.turn import Exchange, Outcome, Turn
from llm_gc.conversation.visit import Visit
from llm_gc.conversation.walk import Conversation

__all__ = ["Conversation", "Exchange", "Files", "Outcome", "Turn", "Visit"]
