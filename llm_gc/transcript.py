"""Turns to records and back to requests, records to JSON and back: versioned, and without a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from llm_gc.conversation import Exchange, Outcome, Turn
from llm_gc.protocol import Attempt, Part, Request, Speaker, Tokens
from llm_gc.records import (
    FORMAT,
    AttemptRecord,
    Ended,
    ErrorRecord,
    Header,
    PartRecord,
    RequestRecord,
    Totals,
    Transcript,
    TurnRecord,
)


class Encoder:
    """Turns into records, in order; it remembers what it has stored so that nothing is stored twice."""

    def __init__(self) -> None:
        """Begin with nothing stored."""
        self.texts: dict[str, str] = {}
        self._last: dict[Speaker, tuple[str, tuple[Part, ...]]] = {}

    def turn(self, turn: Turn) -> TurnRecord:
        """Give the record of a turn."""
        ask, reply, failure = turn.exchange.ask, turn.exchange.reply, turn.exchange.failure
        attempts = [record for exchange in turn.attempts for record in self._failed(exchange, own_request=True)]
        attempts += self._failed(turn.exchange, own_request=False)
        heard_text = turn.said
        return TurnRecord(
            turn=turn.number,
            id=ask.id,
            step=".".join(map(str, ask.step)),
            role=ask.speaker.role,
            copy=ask.speaker.copy,
            label=ask.label,
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
            said=heard_text if heard_text != turn.message.content else None,
            request=self._request(turn.exchange),
            warnings=turn.warnings,
            tool_calls=reply.tool_calls,
        )

    def _failed(self, exchange: Exchange, *, own_request: bool) -> Iterable[AttemptRecord]:
        """Give the tries behind an exchange that came to nothing, its own reply last where it failed."""
        id_, reply, failure = exchange.ask.id, exchange.reply, exchange.failure
        for attempt in reply.attempts:
            yield _attempt(id_, attempt)
        if failure is not None:
            error = ErrorRecord(failure.kind, failure.message)
            request = self._request(exchange) if own_request else None
            last = reply.seconds - sum(attempt.seconds for attempt in reply.attempts)
            yield AttemptRecord(id_, error, reply.content, reply.thinking, round(last, 6), reply.tokens, request)

    def _request(self, exchange: Exchange) -> RequestRecord:
        ask = exchange.ask
        failed = exchange.failure is not None and exchange.failure.kind == "template"
        request = Request(()) if failed else ask.request
        before, known = self._last.get(ask.speaker, (None, ()))
        keep = next((n for n, pair in enumerate(zip(known, request.parts, strict=False)) if pair[0] != pair[1]), None)
        keep = min(len(known), len(request.parts)) if keep is None else keep
        added = tuple(self._part(part) for part in request.parts[keep:])
        self._last[ask.speaker] = (ask.id, request.parts)
        sent = digest(request.messages)
        return RequestRecord(ask.options, sent, added, before if keep else None, keep, ask.format)

    def _part(self, part: Part) -> PartRecord:
        if part.of is not None:
            return PartRecord(part.kind, turn=part.of)
        key = hashlib.sha256(part.text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        self.texts[key] = part.text
        return PartRecord(part.kind, text=key)


def messages_of(transcript: Transcript, record: TurnRecord | AttemptRecord) -> list[dict[str, str]]:
    """Rebuild the exact messages that a turn (or an attempt with a request of its own) was sent.

    Raises:
        ValueError: where they are not those that were sent, or the record has no request of its own.

    """
    if record.request is None:
        raise ValueError(f"the attempt at {record.id} has no request of its own")
    messages = Request(tuple(_Decoder(transcript).parts(record.request))).messages
    if digest(messages) != record.request.sha256:
        raise ValueError(f"the messages of {record.id} are not those that were sent: the transcript was changed")
    return messages


class _Decoder:
    """Requests back from records."""

    def __init__(self, transcript: Transcript) -> None:
        self._texts = transcript.texts
        self._turns = {turn.id: turn for turn in transcript.turns}
        with_request = [a for turn in transcript.turns for a in turn.attempts if a.request is not None]
        self._requests = {r.id: r.request for r in (*transcript.turns, *with_request) if r.request is not None}

    def parts(self, request: RequestRecord) -> list[Part]:
        chain = [request]
        while chain[-1].after is not None:
            chain.append(self._requests[chain[-1].after])
        parts: list[Part] = []
        for link in reversed(chain):
            parts = parts[: link.keep] + [self._part(part) for part in link.parts]
        return parts

    def _part(self, part: PartRecord) -> Part:
        if part.turn is None:
            return Part(part.role, self._texts[part.text or ""])
        turn = self._turns[part.turn]
        if part.role == "assistant":
            return Part(part.role, turn.content, part.turn)
        return Part(part.role, f"{turn.label}: {turn.content if turn.said is None else turn.said}", part.turn)


def finish(header: Header, turns: Iterable[Turn], outcome: Outcome, ended_at: str) -> Transcript:
    """Give the whole transcript of a conversation, its turns in declared order."""
    encoder = Encoder()
    records = tuple(encoder.turn(turn) for turn in turns)
    return assemble(header, records, encoder.texts, outcome, ended_at)


def assemble(
    header: Header, records: tuple[TurnRecord, ...], texts: Mapping[str, str], outcome: Outcome, ended_at: str
) -> Transcript:
    """Put a transcript together from its parts."""
    tries = [a.tokens for record in records for a in record.attempts if a.request is not None]
    counted = [record.tokens for record in records] + tries
    tokens = Tokens(sum(t.prompt or 0 for t in counted), sum(t.completion or 0 for t in counted))
    tried = [a.seconds for record in records for a in record.attempts if a.request is not None]
    spent = round(sum(record.seconds for record in records) + sum(tried), 6)
    return Transcript(
        format=FORMAT,
        id=header.id,
        pipeline=header.pipeline,
        inputs=header.inputs,
        seed=header.seed,
        status=outcome.status,
        ended_by=Ended(outcome.reason, outcome.detail),
        result=outcome.result,
        started_at=header.started_at,
        ended_at=ended_at,
        totals=Totals(len(records), sum(record.error is not None for record in records), tokens, spent),
        versions=header.versions,
        turns=records,
        texts=texts,
    )


def plain(value: Any) -> Any:
    """Give records as plain data for JSON."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def dumps(value: Any, *, indent: int | None = None) -> str:
    """Give records as JSON text; lone surrogates, which JSON can carry and UTF-8 cannot, stay escaped."""
    text = json.dumps(plain(value), ensure_ascii=False, indent=indent, allow_nan=False)
    return text if _is_encodable(text) else json.dumps(plain(value), indent=indent, allow_nan=False)


def load(data: Any) -> Transcript:
    """Read a transcript from plain data.

    Raises:
        ValueError: where it is none, or of a version that this program does not know.

    """
    if not isinstance(data, dict) or "format" not in data or "turns" not in data:
        raise ValueError("this is no transcript of llm-gc")
    if data["format"] != FORMAT:
        raise ValueError(f"this transcript has format {data['format']!r}, and this llm-gc reads {FORMAT}")
    from pydantic import TypeAdapter  # only those who read transcripts pay for it

    return TypeAdapter(Transcript).validate_python(data)


def digest(value: Any) -> str:
    """Give the SHA-256 of plain data, as compact JSON sorted by key."""
    text = json.dumps(plain(value), ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _attempt(id_: str, attempt: Attempt) -> AttemptRecord:
    error = ErrorRecord(attempt.failure.kind, attempt.failure.message)
    return AttemptRecord(id_, error, attempt.content, attempt.thinking, round(attempt.seconds, 6))


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
