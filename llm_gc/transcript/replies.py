"""A record that answers: each turn of a transcript back to the replies it was made of, by the ids of their asks.

This is what resuming, replaying and forking have in common. A conversation is a function of the replies it is given;
a record holds them all, those of repairs and of failed tries too, so a conversation that is fed a record is again the
one that was recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any

from pydantic import ValidationError

from llm_gc._version import RULES
from llm_gc.core import Conversation, Files, TraceEvent
from llm_gc.errors import UnreadableSession
from llm_gc.language.pipeline import Pipeline
from llm_gc.protocol import Ask, Attempt, Failure, Reply
from llm_gc.transcript.records import AttemptRecord, ErrorRecord, Header, PipelineRecord, Transcript, TurnRecord


def replies(turns: Iterable[TurnRecord]) -> dict[str, Reply]:
    """Return the replies that turns were made of, by the id of the ask that each answers."""
    return {id_: reply for turn in turns for id_, reply in _replies(turn)}


def feed(conversation: Conversation, answer: Callable[[Ask], Reply | None]) -> None:
    """Answer what is pending, in declared order, and what comes of that; where ``answer`` gives none, it stays so."""
    waiting = list(reversed(conversation.pending))
    while waiting and conversation.outcome is None:
        ask = waiting.pop()
        reply = answer(ask)
        if reply is not None:
            waiting += reversed(conversation.answer(ask, reply))


def kept(transcript: Transcript) -> tuple[TurnRecord, ...]:
    """Return the turns from which an interrupted conversation continues: without those at the end that failed."""
    turns = list(transcript.turns)
    while turns and turns[-1].error is not None:
        turns.pop()
    return tuple(turns)


def before(transcript: Transcript, turn: int) -> tuple[TurnRecord, ...]:
    """Return all that was recorded up to the end of the turn before number ``turn``; a pick that led to it is not.

    Raises:
        ValueError: where there was no such turn.

    """
    numbers = [record.turn for record in transcript.turns if record.turn is not None]
    if not 1 <= turn <= len(numbers) + 1:
        has = f"{len(numbers)} turn{'' if len(numbers) == 1 else 's'}"
        raise ValueError(f"{transcript.id} has {has}; a turn from 1 to {len(numbers) + 1} was expected, not {turn}")
    end = next((at + 1 for at, record in enumerate(transcript.turns) if turn > 1 and record.turn == turn - 1), 0)
    return transcript.turns[:end]


def header_of(transcript: Transcript, **changes: Any) -> Header:
    """Return a transcript's header, as it was before the first turn, with ``changes``."""
    header = Header(
        id=transcript.id,
        pipeline=transcript.pipeline,
        inputs=transcript.inputs,
        seed=transcript.seed,
        started_at=transcript.started_at,
        versions=transcript.versions,
        rules=transcript.rules,
        parent=transcript.parent,
        resumed=transcript.resumed,
    )
    return replace(header, **changes)


def pipeline_of(record: PipelineRecord) -> tuple[Pipeline, Files]:
    """Return a recorded pipeline, and what it names, ready to be run again.

    Raises:
        UnreadableSession: where this llm-gc does not know its language any more.

    """
    try:
        pipeline = Pipeline.model_validate(record.document)
    except ValidationError as error:
        first = error.errors()[0]
        where = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise UnreadableSession(f"this llm-gc cannot read the recorded pipeline {record.name}, at {where}") from error
    return pipeline, Files(record.prompts, {name: pipeline_of(scene) for name, scene in record.scenes.items()})


def check_rules(transcript: Transcript | Header) -> None:
    """Check that a conversation which began under these rules can be continued.

    Raises:
        UnreadableSession: where they are newer than this llm-gc.

    """
    if transcript.rules > RULES:
        raise UnreadableSession(
            f"{transcript.id} was recorded under rules {transcript.rules}, and this llm-gc knows rules {RULES}; "
            "a newer llm-gc can continue it"
        )


def conversation_of(
    transcript: Transcript | Header, visit: Callable[[TraceEvent], object] | None = None
) -> Conversation:
    """Return the conversation that was recorded, at its beginning; ``visit`` as a conversation takes it.

    Raises:
        UnreadableSession: where this llm-gc does not know its pipeline's language any more, or not yet its rules.
        TemplateError: where a template over the inputs fails.

    """
    check_rules(transcript)
    pipeline, files = pipeline_of(transcript.pipeline)
    return Conversation(pipeline, transcript.inputs, files, visit)


def _replies(turn: TurnRecord) -> Iterator[tuple[str, Reply]]:
    """Yield the replies of one turn: those that would not do first, each with its failed tries."""
    own: tuple[AttemptRecord, ...] = ()
    for id_, tries in groupby(turn.attempts, key=lambda attempt: attempt.id):
        if id_ == turn.id:
            own = tuple(tries)
            continue
        *before_, last = tries
        seconds = sum(attempt.seconds for attempt in before_) + last.seconds
        yield id_, _failed(last, before_, Reply(tokens=last.tokens, seconds=seconds), is_asked_again=True)
    reply = Reply(
        content=turn.content,
        thinking=turn.thinking,
        done_reason=turn.done_reason,
        tokens=turn.tokens,
        latency=turn.latency,
        seconds=turn.seconds,
        attempts=_attempts(own),
        model=turn.model,
        tool_calls=turn.tool_calls,
        cut_by=turn.cut_by,
    )
    yield turn.id, reply if turn.error is None else _failed(own[-1], own[:-1], reply)


def _failed(
    last: AttemptRecord, earlier: Iterable[AttemptRecord], reply: Reply, *, is_asked_again: bool = False
) -> Reply:
    failure = _failure(last.error)._replace(retry=is_asked_again)
    attempts = _attempts(earlier)
    return replace(reply, content=last.content, thinking=last.thinking, failure=failure, attempts=attempts)


def _attempts(records: Iterable[AttemptRecord]) -> tuple[Attempt, ...]:
    return tuple(Attempt(_failure(one.error), one.content, one.thinking, one.seconds, one.tokens) for one in records)


def _failure(error: ErrorRecord) -> Failure:
    return Failure(error.kind, error.message)
