"""Which earlier request of its speaker a request must begin with: while a speaker sees all, its list only grows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from llm_gc.core import Conversation
from llm_gc.language.base import Step
from llm_gc.language.pipeline import Pipeline
from llm_gc.protocol import Ask

BRANCH = re.compile(r"\bparallel((?::[0-9]+)?\.[0-9]+)")


def messages(ask: Ask) -> list[tuple[str, str]]:
    """Return what an ask sends, as pairs."""
    return [(message["role"], message["content"]) for message in ask.request.messages]


def extends(longer: list[tuple[str, str]], shorter: list[tuple[str, str]]) -> bool:
    """Return whether a prompt begins with another: all messages but its last equal, and the last a prefix."""
    head, last = shorter[:-1], shorter[-1]
    if longer[: len(head)] != head or len(longer) < len(shorter):
        return False
    kind, content = longer[len(head)]
    return kind == last[0] and content.startswith(last[1])


def sees_all(pipeline: Pipeline, ask: Ask) -> bool:
    """Return whether a speaker sees all in the turn that is asked for; to choose, it sees what its role sees."""
    step: object = pipeline
    for key in ask.step:
        step = step[key] if isinstance(key, int) else getattr(step, {"else": "else_"}.get(key, key))  # type: ignore[index]
    assert isinstance(step, Step)
    view = pipeline.roles[ask.speaker.role].sees
    if not ask.is_pick and getattr(step, "sees", None) is not None:
        view = step.sees  # type: ignore[attr-defined]
    return view.from_ == "all" and view.last is None and view.opening


def pairs(conversation: Conversation, counts: Callable[[Ask], bool]) -> Iterator[tuple[Ask, Ask]]:
    """Yield each ask that counts with the earlier one that it must begin with, if there is one.

    The conversation, which has ended, is had once more. A repair is no part of what stays.
    """
    exchanges = [one for turn in conversation.turns for one in (*turn.attempts, turn.exchange)]
    replies = {exchange.ask.id: exchange.reply for exchange in exchanges}
    again, asked = conversation.again(), dict[str, Ask]()
    while again.outcome is None:
        ask = again.pending[0]
        if counts(ask):
            before = _newest(again, ask, asked)
            if before is not None:
                yield before, ask
            asked.setdefault(_first(ask), ask)
        again.answer(ask, replies[ask.id])


def _newest(conversation: Conversation, ask: Ask, asked: Mapping[str, Ask]) -> Ask | None:
    """Return the newest of the asked that its speaker was sent, by the names that are known at that ask."""
    own = [turn.exchange.ask for turn in conversation.turns if turn.speaker == ask.speaker]
    before = [asked[_first(one)] for one in own if _first(one) in asked and _hears(ask, one)]
    return before[-1] if before else asked.get(_first(ask))


def _first(ask: Ask) -> str:
    """Return the id of the first attempt at a turn."""
    return ask.id.partition("#")[0]


def _hears(ask: Ask, earlier: Ask) -> bool:
    """Return whether two asks are of the same scene, and not of two branches of one block."""
    mine, other = _branches(ask), _branches(earlier)
    same = all(mine[block] == other[block] for block in mine.keys() & other.keys())
    return same and _scene(ask) == _scene(earlier)


def _branches(ask: Ask) -> dict[str, str]:
    """Return the branch of each block that an ask is in, the outermost block first."""
    return {ask.id[: found.end() - len(found[1])]: found[1] for found in BRANCH.finditer(ask.id)}


def _scene(ask: Ask) -> str:
    found = re.match(r".*\bscene\b", ask.id)
    return found[0] if found else ""
