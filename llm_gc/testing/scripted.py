"""Drives a conversation by a script: the author's replies of each role, in the order in which it is asked.

Nothing waits here, so nothing runs at once: of the asks that can be answered the first one always is, which lets the
branches of a block speak one after the other, in declared order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from llm_gc.core import Conversation
from llm_gc.errors import TemplateError
from llm_gc.protocol import Ask, Cut, CutLimit, Failure, Latency, Path, Reply, Speaker, Tokens
from llm_gc.transcript import cases
from llm_gc.values import units

MAX_ASKS = 1_000
"""A reply that stands for every ask could let a conversation continue for ever."""


@dataclass
class Played:
    """A conversation as far as the script let it come.

    ``speakers`` are those who were asked, by their copies. ``missing`` is the ask for which the script had no reply;
    ``error`` the template that failed in a request; ``endless`` tells that it was given up. ``left`` are the paths
    below ``replies`` of those that nobody asked for.
    """

    conversation: Conversation
    asks: list[Ask] = field(default_factory=list)
    speakers: list[Speaker] = field(default_factory=list)
    missing: Ask | None = None
    error: TemplateError | None = None
    endless: bool = False
    left: tuple[Path, ...] = ()


class Script:
    """Replies by role; those of a copy, as in ``solver#2``, before those of its role."""

    def __init__(self, replies: Mapping[str, cases.Replies]) -> None:
        """Take the replies as a test file has them."""
        self._replies = replies
        self._given = dict.fromkeys(replies, 0)

    def reply(self, ask: Ask, speaker: Speaker) -> Reply | None:
        """Return the next reply for an ask of a speaker, None where there is none left."""
        who = next((name for name in names(speaker) if name in self._replies), None)
        if who is None:
            return None
        replies, number = self._replies[who], self._given[who]
        if isinstance(replies, list) and number >= len(replies):
            return None
        self._given[who] += 1
        return read(replies[number] if isinstance(replies, list) else replies, ask)

    @property
    def left(self) -> tuple[Path, ...]:
        """The paths of the replies that were not given, below ``replies``."""
        left: list[Path] = []
        for who, replies in self._replies.items():
            if isinstance(replies, list):
                left += [(who, index) for index in range(self._given[who], len(replies))]
            elif not self._given[who]:
                left.append((who,))
        return tuple(left)


def names(speaker: Speaker) -> tuple[str, str]:
    """Return the names by which a speaker can be meant, the narrower first."""
    return f"{speaker.role}#{speaker.copy + 1}", speaker.role


def play(conversation: Conversation, script: Script) -> Played:
    """Answer a conversation by a script until it has ended, or the script has nothing to say."""
    played = Played(conversation)
    while conversation.outcome is None:
        ask = conversation.pending[0]
        if len(played.asks) == MAX_ASKS:
            played.endless = True
            break
        try:
            _ = ask.request
        except TemplateError as error:
            played.error = played.error or error
            conversation.answer(ask, Reply(failure=Failure("template", str(error))))
            continue
        played.asks.append(ask)
        played.speakers.append(conversation.speaker_of(ask))
        reply = script.reply(ask, played.speakers[-1])
        if reply is None:
            played.missing = ask
            break
        conversation.answer(ask, reply)
    played.left = script.left
    return played


def read(line: cases.Reply, ask: Ask) -> Reply:
    """Return what a test file has as a reply. To choose, a bare text is the name that is chosen."""
    if isinstance(line, str):
        return _said(json.dumps({"next": line}) if ask.is_pick else line)
    content = json.dumps(line.data, ensure_ascii=False) if line.is_given("data") else line.text or ""
    used = line.tokens
    tokens = Tokens(used.prompt, used.completion) if isinstance(used, cases.CaseUse) else Tokens(None, used)
    seconds = units.seconds(line.seconds) if isinstance(line.seconds, str) else line.seconds or 0.0
    failure = None
    if line.error is not None:
        failure = Failure(line.error, line.message or f"The script says: {line.error}.")
    cut = None if failure else _cut(line)
    if cut is not None and cut.limit == "max_time" and line.seconds is None:
        seconds = ask.time_left or 0.0
    return Reply(
        content,
        line.thinking or "",
        None if failure else line.done_reason or "stop" if cut is None else _BY_LENGTH.get(cut.limit),
        tokens,
        Latency(total=seconds),
        seconds,
        failure,
        cut_by=cut,
    )


_BY_LENGTH = {"max_tokens": "length", "num_ctx": "length"}
"""What a server says where it has reached the limit; one that is given up says nothing."""


def _cut(line: cases.Scripted) -> Cut | None:
    """Return what cuts a reply; None where nothing does."""
    if not line.cut:
        return None
    limit: CutLimit = "max_tokens" if line.cut is True else line.cut
    return Cut(limit, f"The script says: cut by {limit}.")


def _said(content: str) -> Reply:
    return Reply(content, done_reason="stop")
