"""The pipelines that ship, played with scripted replies: what the tests of the gallery have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from llm_gc import project
from llm_gc.core import Conversation, Outcome
from llm_gc.files.locations import pipelines_in
from llm_gc.language.inputs import resolve
from llm_gc.project import Loaded
from llm_gc.protocol import Ask, Reply
from tests.commands import ROOT
from tests.talks import said, speakers

PIPELINES = ROOT / "pipelines"

Line = str | Mapping[str, Any] | Reply
"""What is answered: a text, the data of a structured reply, or a whole reply such as ``tests.talks.failed()``."""

Script = Mapping[str, Any]
"""Each role's lines in order, its picks among them. A line that is in no list is given whenever it is asked for."""


@dataclass(frozen=True)
class Play:
    """A conversation that has ended, and all that was asked in it."""

    conversation: Conversation
    asks: list[Ask]

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        assert self.conversation.outcome is not None
        return self.conversation.outcome

    @property
    def ended(self) -> tuple[str, str]:
        """Its status, and the reason."""
        return self.outcome.status, self.outcome.reason

    @property
    def result(self) -> Any:
        """What came out of it."""
        return self.outcome.result

    @property
    def order(self) -> list[str]:
        """Who was asked, in order; those who choose among them."""
        return speakers(self.asks)

    @property
    def turns(self) -> list[str]:
        """Who took a turn, in order; to choose is none."""
        return [message.role for message in self.conversation.messages]

    def sent(self, role: str, number: int = -1) -> str:
        """Return all that a role was sent when it was asked for the ``number``-th time, counted from 0, as one text."""
        return text_of([ask for ask in self.asks if ask.speaker.role == role][number])


def text_of(ask: Ask) -> str:
    """Return all that an ask sends, as one text; a line is between the messages."""
    return "\n----\n".join(message["content"] for message in ask.request.messages)


def names() -> list[str]:
    """Return the names of all pipelines that ship."""
    return [file.stem for file in pipelines_in(PIPELINES)]


@cache
def load(name: str) -> Loaded:
    """Load one of them."""
    return project.load(str(PIPELINES / f"{name}.yaml"))


def play(
    name: str,
    script: Script,
    inputs: Mapping[str, Any] | None = None,
    *,
    on_error: Literal["continue", "stop"] = "continue",
    seed: int | None = None,
) -> Play:
    """Play a pipeline to its end by a script, which must have neither too few replies nor too many."""
    left = {role: [lines] if _is_line(lines) else list(lines) for role, lines in script.items()}

    def answer(ask: Ask) -> Reply:
        role = ask.speaker.role
        assert left.get(role), f"the script has no further reply of {role}, which is asked at {ask.id}:\n{text_of(ask)}"
        return reply_of(left[role][0] if _is_line(script[role]) else left[role].pop(0))

    played = perform(name, answer, inputs, on_error=on_error, seed=seed)
    over = {role: lines for role, lines in left.items() if lines and not _is_line(script[role])}
    assert not over, f"it ended ({played.outcome.detail}) after {played.order}, and nobody asked for {over}"
    return played


def perform(
    name: str,
    answer: Callable[[Ask], Reply],
    inputs: Mapping[str, Any] | None = None,
    *,
    on_error: Literal["continue", "stop"] = "continue",
    seed: int | None = None,
) -> Play:
    """Play a pipeline to its end, each ask answered by ``answer``, the first one that waits before the others."""
    loaded = load(name)
    limits = loaded.pipeline.limits.model_copy(update={"on_error": on_error})
    pipeline = loaded.pipeline.model_copy(update={"limits": limits, **({} if seed is None else {"seed": seed})})
    conversation = Conversation(pipeline, resolve(pipeline.inputs, inputs or {}), loaded.files)
    asks: list[Ask] = []
    while conversation.outcome is None:
        ask = conversation.pending[0]
        _ = ask.request  # a template that fails must not go unseen
        asks.append(ask)
        assert len(asks) < 1000, "the conversation does not end"
        conversation.answer(ask, answer(ask))
    return Play(conversation, asks)


def reply_of(line: Line) -> Reply:
    """Return a line of a script as a reply."""
    if isinstance(line, Reply):
        return line
    return said(line if isinstance(line, str) else json.dumps(line, ensure_ascii=False))


def _is_line(lines: Any) -> bool:
    return isinstance(lines, (str, Mapping, Reply))
