"""Pipelines and replies in one line each, for tests of the core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llm_gc.core import Conversation, Files
from llm_gc.language.pipeline import Pipeline
from llm_gc.protocol import Ask, Failure, FailureKind, Reply, Tokens


def pipeline(turns: Sequence[Any], roles: Sequence[str] | Mapping[str, Any] = ("anna", "ben"), **keys: Any) -> Pipeline:
    """Return a pipeline of these turns; roles given by name alone have a model and no prompt."""
    cast = dict(roles) if isinstance(roles, Mapping) else {name: {} for name in roles}
    cast = {name: {"model": "m", **role} for name, role in cast.items()}
    document = {"name": "test", "opening": "Begin.", "roles": cast, "turns": list(turns), **keys}
    return Pipeline.model_validate({key: value for key, value in document.items() if value is not None})


def talk(turns: Sequence[Any], inputs: Mapping[str, Any] | None = None, **keys: Any) -> Conversation:
    """Return a conversation over such a pipeline."""
    prompts = keys.pop("prompts", None)
    return Conversation(pipeline(turns, **keys), inputs or {}, Files(prompts or {}))


def answer_all(conversation: Conversation, *replies: str | Reply) -> list[Ask]:
    """Answer the first pending ask again and again, from the replies and then with "ok"; return the asks."""
    asks: list[Ask] = []
    given = list(replies)
    while conversation.outcome is None:
        ask = conversation.pending[0]
        _ = ask.request
        reply = given.pop(0) if given else "ok"
        conversation.answer(ask, reply if isinstance(reply, Reply) else said(reply))
        asks.append(ask)
        assert len(asks) < 1000, "the conversation does not end"
    return asks


def said(content: str, **more: Any) -> Reply:
    """Return a reply with this content."""
    return Reply(content, done_reason="stop", tokens=Tokens(10, 5), seconds=1.0, **more)


def failed(kind: FailureKind = "server", message: str = "It broke.", **more: Any) -> Reply:
    """Return a reply that failed."""
    return Reply(failure=Failure(kind, message), seconds=1.0, **more)


def speakers(asks: Sequence[Ask]) -> list[str]:
    """Return who was asked, in order."""
    return [ask.speaker.role for ask in asks]
