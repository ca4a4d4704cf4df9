"""The driver that asks nobody: a conversation is fed its record, and each request it makes is held against that one.

The pipeline may be another one by now: where it makes the same requests, the same replies lead to the same end, and
where it does not, the first request that differs tells what has changed for the models.

What was recorded under other rules was sent and decided otherwise in places. Compared is what the rules leave alone:
who is asked for what, what the author wrote into each request and which messages it repeats, and what came of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llm_gc._version import RULES
from llm_gc.core import Conversation, Outcome
from llm_gc.core.ask_builder import GO_ON
from llm_gc.errors import TemplateError, UsageError
from llm_gc.project import Loaded
from llm_gc.protocol import Ask, Part, Reply, Request
from llm_gc.runtime.resolution import resolve_again
from llm_gc.transcript.differences import Change, changes, message_lines, pipeline_changes
from llm_gc.transcript.encode import MessageDecoder, finish, plain
from llm_gc.transcript.records import AttemptRecord, Transcript, TurnRecord
from llm_gc.transcript.replies import before, feed, header_of, replies

SETTLED = ("turn", "step", "role", "copy", "label", "content", "data", "heard", "said", "cut", "warnings", "error")
"""What the core makes of a reply."""

NUMBERED = ("turn", "copy", "label")
"""What of it is known when the block around a turn is over."""

UNDER_OTHER_RULES = ("turn", "step", "role")
"""What of it is the same under all rules."""

RULED_OPTIONS = ("num_ctx", "num_predict", "seed")
"""The options that the rules decide where the author does not."""

ERRORS = (("error", "message"), ("ended_by", "detail"))
"""Where the words stand for what went wrong."""


@dataclass(frozen=True)
class Difference:
    """The first thing in which a conversation parts from its record: in which turn, what it is, and how it differs."""

    where: str
    what: str
    lines: tuple[str, ...] = ()
    turn: int | None = None


@dataclass(frozen=True)
class Replayed:
    """What came of it: none where all is the same. ``changes`` are those of the pipeline, also such as changed nothing.

    ``turns`` counts the turns and picks of the record, and ``rules`` is what it was recorded under.
    """

    turns: int
    rules: int
    difference: Difference | None = None
    changes: tuple[Change, ...] = ()


def replay(transcript: Transcript, loaded: Loaded) -> Replayed:
    """Feed a record to a pipeline: the one that was recorded, or what has become of it."""
    count, rules = len(transcript.turns), transcript.rules
    try:
        resolved, inputs = resolve_again(transcript, loaded)
        conversation = Conversation(resolved.pipeline, inputs, resolved.files)
    except (UsageError, TemplateError) as error:
        return Replayed(count, rules, Difference("before the first turn", str(error)))
    changed = tuple(pipeline_changes(transcript.pipeline, resolved.record))
    comparison = _ReplayComparison(transcript, conversation)
    feed(conversation, comparison.answer)
    difference = comparison.difference or comparison.rest()
    return Replayed(count, rules, difference, changed)


class _ReplayComparison:
    """A record held against what a conversation asks."""

    def __init__(self, transcript: Transcript, conversation: Conversation) -> None:
        self.difference: Difference | None = None
        self._transcript, self._conversation = transcript, conversation
        self._replies = replies(transcript.turns)
        self._decoder = MessageDecoder(transcript)
        self._same_rules = transcript.rules == RULES
        self._turns: dict[str, tuple[TurnRecord, TurnRecord | AttemptRecord]] = {}
        for turn in transcript.turns:
            self._turns |= {tried.id: (turn, tried) for tried in turn.attempts if tried.request is not None}
            self._turns[turn.id] = (turn, turn)
        parent = transcript.parent
        self._taken_over = {turn.id for turn in before(transcript, parent.turn)} if parent else set()

    def answer(self, ask: Ask) -> Reply | None:
        """Return the recorded reply, unless something has differed before."""
        if self.difference is not None:
            return None
        if ask.id not in self._turns:
            if self._transcript.status != "interrupted":
                self.difference = self._not_recorded(ask)
            return None
        turn, record = self._turns[ask.id]
        lines = () if turn.id in self._taken_over else tuple(self._compared(ask, turn, record))
        if lines:
            self.difference = Difference(_place(turn), f"{ask.label} is sent something else", lines, turn.turn)
            return None
        return self._replies[ask.id]

    def rest(self) -> Difference | None:
        """Return the first difference in what came of the replies: turns that nobody asks for, their fate, the end."""
        conversation, missed = self._conversation, self._missed()
        if missed is not None:
            return Difference(_place(missed), f"{missed.label} is not asked any more", tuple(_end(conversation)))
        interrupted = self._transcript.status == "interrupted"
        outcome = Outcome("interrupted", "", "") if interrupted else conversation.outcome
        assert outcome is not None  # noqa: S101  # every ask was answered, or is a difference
        made = finish(header_of(self._transcript), conversation.turns, outcome, "")
        again = {turn.id: turn for turn in made.turns}
        for turn in self._transcript.turns:
            then, now = (self._fate(one, numbered=not interrupted) for one in (turn, again[turn.id]))
            lines = tuple(_lines(then, now))
            if lines:
                return Difference(_place(turn), f"something else is made of what {turn.label} said", lines, turn.turn)
        if interrupted:
            return None
        then, now = map(self._ending, (self._transcript, made))
        lines = tuple(_lines(then, now))
        return Difference("the end", "it ends otherwise", lines) if lines else None

    def _fate(self, turn: TurnRecord, *, numbered: bool) -> dict[str, Any]:
        """Return what the core made of a reply; a turn in an open branch has no number yet."""
        keys = SETTLED if self._same_rules else UNDER_OTHER_RULES
        return {key: plain(getattr(turn, key)) for key in keys if key not in NUMBERED or numbered}

    def _ending(self, transcript: Transcript) -> dict[str, Any]:
        """Return how it ended; under other rules the last message may be no result, and the words may differ."""
        ended, result = plain(transcript.ended_by), {"result": plain(transcript.result)}
        if self._same_rules:
            return {"ended_by": ended, **result}
        reason = None if transcript.status == "failed" else ended["reason"]  # that of what failed was another one
        explicit = self._conversation.stage.pipeline.result is not None
        return {"status": transcript.status, "reason": reason, **(result if explicit else {})}

    def _missed(self) -> TurnRecord | None:
        """Return the first recorded turn that has not come about: most were asked for, some never fit the window."""
        there = {turn.exchange.ask.id for turn in self._conversation.log}
        return next((turn for turn in self._transcript.turns if turn.id not in there), None)

    def _not_recorded(self, ask: Ask) -> Difference:
        missed, ended = self._missed(), self._transcript.ended_by
        where = _place(missed) if missed else "after the last turn"
        then = f"where {missed.label} spoke" if missed else f"where it ended ({ended.reason}: {ended.detail})"
        return Difference(where, f"{ask.label} is asked at {ask.id}, {then}", turn=missed.turn if missed else None)

    def _compared(self, ask: Ask, turn: TurnRecord, record: TurnRecord | AttemptRecord) -> Iterator[str]:
        """Yield what differs between an ask and a recorded one, in lines."""
        request = record.request
        if request is None:
            return
        roles = ({"role": turn.role}, {"role": ask.speaker.role})
        asked = ask.model or None
        models = ({"model": request.model}, {"model": asked}) if request.model or not asked else ({}, {})
        for one, other in (roles, models):
            yield from _lines(one, other)
        yield from self._compared_messages(ask, record)
        yield from _lines({"options": self._options(request.options)}, {"options": self._options(ask.options)})
        yield from _lines({"format": request.format}, {"format": ask.format})

    def _options(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the options that are compared."""
        return {key: value for key, value in options.items() if self._same_rules or key not in RULED_OPTIONS}

    def _compared_messages(self, ask: Ask, record: TurnRecord | AttemptRecord) -> Iterator[str]:
        error = record.error if record.error is not None and record.error.kind == "template" else None
        try:
            request = ask.request
        except TemplateError as broken:
            if error is None:
                yield f"its request cannot be made: {broken}"
            else:
                yield from _lines({"error": {"message": error.message}}, {"error": {"message": str(broken)}})
            return
        if error is not None:
            yield f"its request could not be made then: {error.message}"
            return
        try:
            sent = self._decoder.request(record)
        except ValueError as tampered:
            yield str(tampered)
            return
        if self._same_rules or _outline(sent) != _outline(request):
            yield from message_lines(sent.messages, request.messages)


def _outline(request: Request) -> tuple[list[Part], frozenset[str]]:
    """Return what the author wrote into a request, and which turns it repeats, in whatever form and order."""
    written = [part for part in request.parts if part.of is None and part.text != GO_ON]
    return written, frozenset(part.of for part in request.parts if part.of is not None)


def _lines(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for change in changes(old, new):
        if change.path not in ERRORS or not _is_same_place(change.old, change.new):
            yield from change.lines()


def _is_same_place(old: Any, new: Any) -> bool:
    """Return whether two texts are of one template that failed: what by may be told in other words now."""
    place, _, _ = str(old).partition(": ")
    return place.startswith("pipeline ") and str(new).startswith(f"{place}: ")


def _place(turn: TurnRecord) -> str:
    name = f"{turn.role} (copy {turn.copy + 1})" if turn.copy else turn.role
    if turn.is_pick:
        return f"{name}'s choice at {turn.id}"
    return f"turn {turn.turn}, {name}" if turn.turn is not None else f"{name} at {turn.id}"


def _end(conversation: Conversation) -> Sequence[str]:
    outcome = conversation.outcome
    return [] if outcome is None else [f"it ends before: {outcome.reason}: {outcome.detail}"]
