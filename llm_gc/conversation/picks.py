"""A choice by a role: asked with the names that are allowed, answered by one of them, heard by nobody."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from llm_gc.control_tokens import broken
from llm_gc.conversation.history import Told
from llm_gc.conversation.question import Question, odd
from llm_gc.conversation.turn import Ending, Exchange, Turn
from llm_gc.protocol import Message, Speech

if TYPE_CHECKING:
    from llm_gc.conversation.scope import StepScope


def pick(
    scope: StepScope, chooser: str, allowed: Sequence[str], fallback: str | None
) -> Generator[Any, Any, str | None]:
    """Ask a role who speaks; ``fallback`` where it fails or strays. One alone need not be chosen.

    It is no turn, and counts for tokens and time only.
    """
    if len(allowed) == 1:
        return allowed[0]
    scope.check_limits()
    schema = {"type": "object", "properties": {"next": {"enum": list(allowed)}}, "required": ["next"]}
    inner, words = scope._replace(place=f"{scope.place}.by"), Speech(chooser, format=schema)
    speaker = scope.speaker(chooser)
    scope.branch.history.add(Told(speaker, lambda: _question(scope, allowed)))
    exchange, earlier, data = yield from Question(inner, speaker, words, is_pick=True).settle()
    _record(scope, exchange, earlier, data)
    failure = exchange.failure
    if failure is None:
        scope.branch.history.add(Told(speaker, lambda: broken(exchange.reply.content), exchange.ask.id))
        return str(data["next"])
    if failure.kind in ("template", "unreachable"):
        raise Ending("error", failure.message, failure.kind)
    return fallback


def _question(scope: StepScope, allowed: Sequence[str]) -> str:
    about = scope.stage.roles
    lines = [f"- {name}: {about[name]['description']}".rstrip(": ") for name in allowed]
    return "\n".join(["Who speaks next? Choose one of these:", *lines, 'Answer with JSON alone: {"next": "<name>"}.'])


def _record(scope: StepScope, exchange: Exchange, earlier: tuple[Exchange, ...], data: Any) -> None:
    ask, failed = exchange.ask, exchange.failure is not None
    content = "" if failed else exchange.reply.content
    error = exchange.failure.message if exchange.failure is not None else None
    message = Message(ask.speaker.role, ask.label, content, data, None, failed, error=error)
    turn = Turn(None, exchange, message, earlier, heard=False, warnings=odd(exchange, earlier), is_pick=True)
    scope.branch.record(turn)
