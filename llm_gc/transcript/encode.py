"""Turns to records and back to requests, records to JSON: without a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

from llm_gc._version import FORMAT
from llm_gc.core import Exchange, Outcome, Turn
from llm_gc.core.context_window import window_of
from llm_gc.errors import TemplateError
from llm_gc.protocol import Ask, Attempt, Kind, Message, Part, Request, Speaker, Tokens
from llm_gc.transcript.records import (
    AttemptRecord,
    ContextRecord,
    Ended,
    ErrorRecord,
    Header,
    PartRecord,
    RequestRecord,
    Totals,
    Transcript,
    TurnRecord,
)

LOADED = 0.1
"""So many seconds of loading mean that a model was loaded; to find one that is loaded takes a server milliseconds."""


class Sent(NamedTuple):
    """What was sent once: an earlier conversation's request."""

    request: Request
    options: Mapping[str, Any]
    format: Any
    model: str | None
    context: ContextRecord | None = None
    unsent: tuple[str, ...] | None = None


class MessageEncoder:
    """Turns into records, in order; it remembers what it has stored so that nothing is stored twice."""

    def __init__(self, sent: Mapping[str, Sent] | None = None) -> None:
        """Begin with nothing stored. ``sent`` are the requests, by id, that were others than those asked here."""
        self.texts: dict[str, str] = {}
        self._earlier = sent or {}
        self._sent: dict[Hashable, tuple[str, tuple[Part, ...]]] = {}
        self._repeated: dict[tuple[str | None, Kind], str] = {}

    def turn(self, turn: Turn) -> TurnRecord:
        """Return the record of a turn."""
        ask, reply, failure = turn.exchange.ask, turn.exchange.reply, turn.exchange.failure
        attempts = [record for exchange in turn.attempts for record in self._failed(turn, exchange)]
        attempts += self._failed(turn, turn.exchange)
        record = TurnRecord(
            turn=turn.number,
            id=ask.id,
            step=".".join(map(str, ask.step)),
            role=ask.speaker.role,
            copy=turn.copy,
            label=turn.message.label,
            model=reply.model or ask.model,
            content=turn.message.content,
            data=turn.message.data,
            thinking=reply.thinking,
            heard=turn.heard,
            cut=reply.cut,
            tokens=reply.tokens,
            latency=reply.latency,
            seconds=reply.seconds,
            done_reason=reply.done_reason,
            attempts=tuple(attempts),
            error=ErrorRecord(failure.kind, failure.message) if failure else None,
            said=turn.said if turn.said != turn.message.content else None,
            request=self._request(turn, turn.exchange),
            warnings=turn.warnings,
            tool_calls=reply.tool_calls,
            is_pick=turn.is_pick,
            context=self._context(turn.exchange),
            cut_by=reply.cut_by,
        )
        self._repeated |= {(record.id, kind): _repeated(record, kind) for kind in ("user", "assistant")}
        return record

    def _failed(self, turn: Turn, exchange: Exchange) -> Iterable[AttemptRecord]:
        """Yield the tries behind an exchange that failed, its own reply last where it failed."""
        id_, reply, failure = exchange.ask.id, exchange.reply, exchange.failure
        for attempt in reply.attempts:
            yield _attempt(id_, attempt)
        if failure is not None:
            error = ErrorRecord(failure.kind, failure.message)
            request = self._request(turn, exchange) if exchange is not turn.exchange else None
            last = reply.seconds - sum(attempt.seconds for attempt in reply.attempts)
            yield AttemptRecord(id_, error, reply.content, reply.thinking, round(last, 6), reply.tokens, request)

    def _request(self, turn: Turn, exchange: Exchange) -> RequestRecord:
        ask, unsent = exchange.ask, exchange.reply.unsent or None
        sent = self._earlier.get(ask.id)
        if sent is None:
            sent = Sent(_request(exchange), ask.options, ask.format, ask.model or None, unsent=unsent)
        parts = _with_turns(sent.request.parts, exchange) if ask.id in self._earlier else sent.request.parts
        keep, after = self._nearest(turn.speaker, ask, parts)
        added = tuple(self._part(part) for part in parts[keep:])
        sha256 = digest(sent.request.messages)
        return RequestRecord(sent.options, sha256, added, after, keep, sent.format, sent.model, sent.unsent)

    def _context(self, exchange: Exchange) -> ContextRecord | None:
        ask, tokens = exchange.ask, exchange.reply.tokens
        if ask.id in self._earlier:
            return self._earlier[ask.id].context
        if ask.casting.human:
            return None
        request, used = _request(exchange), tokens.total if tokens.prompt is not None else None
        return ContextRecord(request.kept, request.dropped, window_of(ask.options), used)

    def _nearest(self, speaker: Speaker, ask: Ask, parts: tuple[Part, ...]) -> tuple[int, str | None]:
        """Return how many parts a request shares with the earlier one that it shares most with, and whose that is.

        A speaker's newest request is the one to grow from. Where its steps differ in what they see, the newest of the
        same step is; for a first turn, what another copy of the role was sent.
        """
        keys = ((speaker, ask.step), speaker, speaker.role)
        shared = [(_shared(sent, parts), id_) for id_, sent in (self._sent[key] for key in keys if key in self._sent)]
        self._sent.update(dict.fromkeys(keys, (ask.id, parts)))
        keep, after = max(shared, key=lambda pair: pair[0], default=(0, None))
        return keep, after if keep else None

    def _part(self, part: Part) -> PartRecord:
        if self._repeated.get((part.of, part.kind)) == part.text:  # it may have been sent in another form
            return PartRecord(part.kind, turn=part.of)
        key = hashlib.sha256(part.text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        self.texts[key] = part.text
        return PartRecord(part.kind, text=key)


def messages_of(transcript: Transcript, record: TurnRecord | AttemptRecord) -> list[dict[str, str]]:
    """Rebuild the exact messages that a turn (or an attempt with a request of its own) was sent.

    Raises:
        ValueError: where they are not those that were sent, or the record has no request of its own.

    """
    return MessageDecoder(transcript).request(record).messages


class MessageDecoder:
    """Requests back from the records of one transcript."""

    def __init__(self, transcript: Transcript) -> None:
        """Know where everything is."""
        self._texts = transcript.texts
        self._turns = {turn.id: turn for turn in transcript.turns}
        tried = [attempt for turn in transcript.turns for attempt in turn.attempts]
        self._requests = {a.id: a.request for a in tried if a.request is not None}
        self._requests |= {turn.id: turn.request for turn in transcript.turns}

    def request(self, record: TurnRecord | AttemptRecord) -> Request:
        """Rebuild exactly what a turn (or an attempt with a request of its own) was sent.

        Raises:
            ValueError: where it is not what was sent, or the record has no request of its own.

        """
        if record.request is None:
            raise ValueError(f"the attempt at {record.id} has no request of its own")
        try:
            request = Request(tuple(self._parts(record.request)))
        except KeyError as error:
            raise ValueError(f"the messages of {record.id} cannot be rebuilt: the transcript lacks {error}") from error
        if digest(request.messages) != record.request.sha256:
            raise ValueError(f"the messages of {record.id} are not those that were sent: the transcript was changed")
        return request

    def _parts(self, request: RequestRecord) -> Iterator[Part]:
        """Yield a request's parts in order: of each request that it came after, those that it kept of it."""
        pieces = [request.parts]
        keep, after = request.keep, request.after
        for _ in self._requests:  # no way back is longer than this, unless it goes round
            if not keep or after is None:
                break
            link = self._requests[after]
            if link.keep < keep:
                pieces.append(link.parts[: keep - link.keep])
                keep = link.keep
            after = link.after
        for piece in reversed(pieces):
            yield from map(self._part, piece)

    def _part(self, part: PartRecord) -> Part:
        if part.turn is None:
            return Part(part.role, self._texts[part.text or ""])
        return Part(part.role, _repeated(self._turns[part.turn], part.role), part.turn)


def finish(
    header: Header, turns: Iterable[Turn], outcome: Outcome, ended_at: str, sent: Mapping[str, Sent] | None = None
) -> Transcript:
    """Return the whole transcript of a conversation, its turns in declared order; ``sent`` as ``Encoder`` takes it."""
    encoder = MessageEncoder(sent)
    records = tuple(encoder.turn(turn) for turn in turns)
    return assemble(header, records, encoder.texts, outcome, ended_at)


def assemble(
    header: Header, records: tuple[TurnRecord, ...], texts: Mapping[str, str], outcome: Outcome, ended_at: str
) -> Transcript:
    """Assemble a transcript from its parts."""
    taken = [record for record in records if not record.is_pick]
    counted = [(record.tokens, record.seconds) for record in records]
    for record in records:  # tries under another id were asks of their own; the turn has the seconds of the others
        counted += [(a.tokens, a.seconds) for a in record.attempts if a.id != record.id]
        own = [(a.tokens, 0.0) for a in record.attempts if a.id == record.id]
        counted += own[:-1] if record.error is not None else own  # the last one's tokens are the turn's
    tokens = Tokens(sum(t.prompt or 0 for t, _ in counted), sum(t.completion or 0 for t, _ in counted))
    seconds = round(sum(spent for _, spent in counted), 6)
    return Transcript(
        format=FORMAT,
        id=header.id,
        pipeline=header.pipeline,
        inputs=header.inputs,
        seed=header.seed,
        status=outcome.status,
        ended_by=Ended(outcome.reason, outcome.detail),
        result=plain(outcome.result),
        started_at=header.started_at,
        ended_at=ended_at,
        totals=Totals(
            len(taken), sum(record.error is not None for record in taken), tokens, seconds, _reloads(records)
        ),
        versions=header.versions,
        turns=records,
        texts=texts,
        parent=header.parent,
        resumed=header.resumed,
        rules=header.rules,
    )


def _reloads(records: Iterable[TurnRecord]) -> int:
    """Count the loads of models that had been there before."""
    seen: set[str] = set()
    count = 0
    for record in records:
        count += record.model in seen and (record.latency.load or 0.0) >= LOADED
        seen.add(record.model)
    return count


def plain(value: Any) -> Any:
    """Return records as plain data for JSON: what is none unless something is known of it is left out."""
    if is_dataclass(value) and not isinstance(value, type):
        items = [(item, getattr(value, item.name)) for item in fields(value)]
        whole = isinstance(value, Message)  # what a template computed, no record
        return {item.name: plain(x) for item, x in items if whole or x is not None or item.default is not None}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def dumps(value: Any, *, indent: int | None = None) -> str:
    """Return records as JSON text; lone surrogates, which JSON can carry and UTF-8 cannot, stay escaped."""
    text = json.dumps(plain(value), ensure_ascii=False, indent=indent, allow_nan=False)
    return text if _is_encodable(text) else json.dumps(plain(value), indent=indent, allow_nan=False)


def digest(value: Any) -> str:
    """Return the SHA-256 of plain data or records, as compact JSON sorted by key."""
    text = json.dumps(value, default=plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _request(exchange: Exchange) -> Request:
    """Return what was sent: nothing where it could not be rendered."""
    failure = exchange.failure
    return Request(()) if failure is not None and failure.kind == "template" else exchange.ask.request


def _with_turns(parts: tuple[Part, ...], exchange: Exchange) -> tuple[Part, ...]:
    """Return the parts of a request on record with the turns that they repeat.

    A journal holds the texts of turns side by side, whose labels are not known before the block is over.
    """
    try:
        asked = _request(exchange).parts
    except TemplateError:  # this llm-gc, or this pipeline, would ask otherwise
        return parts
    pairs = zip_longest(parts, asked[: len(parts)])
    return tuple(mine if mine is not None and mine[:2] == part[:2] else part for part, mine in pairs)


def _repeated(turn: TurnRecord, kind: Kind) -> str:
    """Return a turn as a part of a request: to its own speaker what it said, to the others what they are sent."""
    if kind == "assistant":
        return turn.content
    return f"{turn.label}: {turn.content if turn.said is None else turn.said}"


def _attempt(id_: str, attempt: Attempt) -> AttemptRecord:
    error = ErrorRecord(attempt.failure.kind, attempt.failure.message)
    return AttemptRecord(id_, error, attempt.content, attempt.thinking, round(attempt.seconds, 6), attempt.tokens)


def _shared(one: tuple[Part, ...], other: tuple[Part, ...]) -> int:
    """Count the parts that two requests begin with alike."""
    for count, (mine, yours) in enumerate(zip(one, other, strict=False)):
        if mine != yours:
            return count
    return min(len(one), len(other))


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
