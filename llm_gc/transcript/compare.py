"""Two transcripts side by side: what they were given, where they part and why, and how each ended.

Times and ids are no differences, and neither is what the server counted: two runs in which the same was sent and said
are the same conversation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal

from llm_gc.transcript.differences import Change, changes, marked, message_lines, pipeline_changes
from llm_gc.transcript.encode import MessageDecoder, plain
from llm_gc.transcript.records import Transcript, TurnRecord

Cause = Literal["step", "missing", "request", "seed", "model", "digest", "reply"]
"""What is another one: the step that is taken, whether one is, what was sent, its seed, who was asked, or the reply."""

WORDS: Mapping[Cause, str] = {
    "step": "another step",
    "missing": "only one of them has it",
    "request": "other request",
    "seed": "other seed",
    "model": "other model",
    "digest": "other model digest",
    "reply": "other reply",
}


@dataclass(frozen=True)
class Pair:
    """The turns at one position; ``lines`` show what differs, at the first position where something does."""

    first: TurnRecord | None
    second: TurnRecord | None
    causes: tuple[Cause, ...] = ()
    lines: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Which turn it is, and whose."""
        one, other = self.first, self.second
        turn = one or other
        assert turn is not None  # noqa: S101  # one of them is there
        number = f"turn {turn.turn}" if turn.turn is not None else "a pick" if turn.is_pick else turn.id
        labels = dict.fromkeys(t.label for t in (one, other) if t is not None)
        return f"{number}, {' / '.join(labels)}"


@dataclass(frozen=True)
class Comparison:
    """All that differs between two transcripts. ``around`` is what took part and was not sent: it does not count."""

    inputs: tuple[Change, ...]
    pipeline: tuple[Change, ...]
    pairs: tuple[Pair, ...]
    end: tuple[Change, ...]
    around: tuple[Change, ...] = ()

    @property
    def same(self) -> int:
        """How many turns and picks are the same before the first that is not."""
        return next((index for index, pair in enumerate(self.pairs) if pair.causes), len(self.pairs))

    @property
    def parting(self) -> Pair | None:
        """The first turn at which they part."""
        return self.pairs[self.same] if self.same < len(self.pairs) else None

    @property
    def differs(self) -> bool:
        """Whether they are two conversations."""
        return bool(self.inputs or self.pipeline or self.parting or self.end)


def compare(first: Transcript, second: Transcript) -> Comparison:
    """Compare two transcripts.

    Raises:
        ValueError: where what was sent cannot be rebuilt: a transcript was changed.

    """
    sides = _Side(first), _Side(second)
    pairs: list[Pair] = []
    parted = False
    for index, (one, other) in enumerate(zip_longest(first.turns, second.turns)):
        pair = _pair(sides, index, one, other, shown=not parted)
        parted = parted or bool(pair.causes)
        pairs.append(pair)
    return Comparison(
        inputs=tuple(changes(first.inputs, second.inputs)),
        pipeline=tuple(pipeline_changes(first.pipeline, second.pipeline)),
        pairs=tuple(pairs),
        end=tuple(changes(_end(first), _end(second))),
        around=tuple(changes(_around(first), _around(second))),
    )


class _Side:
    """One of the two, ready to tell of each turn what was sent."""

    def __init__(self, transcript: Transcript) -> None:
        self._transcript, self._decoder = transcript, MessageDecoder(transcript)

    def messages(self, turn: TurnRecord) -> list[dict[str, str]]:
        return self._decoder.request(turn).messages

    def digest(self, index: int, turn: TurnRecord) -> str | None:
        """Return the digest of the model that was asked, as it was when that turn was taken."""
        versions = self._transcript.versions
        for resumption in self._transcript.resumed:
            if resumption.after <= index:
                versions = resumption.versions
        return versions.models.get(turn.request.model or turn.model)


def _pair(
    sides: tuple[_Side, _Side], index: int, first: TurnRecord | None, second: TurnRecord | None, *, shown: bool
) -> Pair:
    if first is None or second is None:
        return Pair(first, second, ("missing",))
    if (first.id, first.role, first.copy) != (second.id, second.role, second.copy):
        lines = (f"- {first.label} at {first.id}", f"+ {second.label} at {second.id}")
        return Pair(first, second, ("step",), lines if shown else ())
    found = list(_differences(sides, index, first, second))
    causes = tuple(dict.fromkeys(cause for cause, _ in found))
    return Pair(first, second, causes, tuple(line for _, lines in found for line in lines) if shown else ())


def _differences(
    sides: tuple[_Side, _Side], index: int, first: TurnRecord, second: TurnRecord
) -> Iterator[tuple[Cause, list[str]]]:
    """Yield what differs between two turns of the same step, each with its lines."""
    requests = first.request, second.request
    if requests[0].sha256 != requests[1].sha256:
        messages = (side.messages(turn) for side, turn in zip(sides, (first, second), strict=True))
        yield "request", message_lines(*messages)
    options = [{key: value for key, value in one.options.items() if key != "seed"} for one in requests]
    for key, one, other in (
        ("options", options[0], options[1]),
        ("format", requests[0].format, requests[1].format),
    ):
        lines = _lines({key: one}, {key: other})
        if lines:
            yield "request", lines
    for cause, values in (
        ("seed", [one.options.get("seed") for one in requests]),
        ("model", [turn.request.model or turn.model for turn in (first, second)]),
        ("digest", [side.digest(index, turn) for side, turn in zip(sides, (first, second), strict=True)]),
    ):
        if values[0] != values[1]:
            yield cause, _lines({cause: values[0]}, {cause: values[1]})  # type: ignore[misc]  # its words are these
    yield from _replies(first, second)


def _replies(first: TurnRecord, second: TurnRecord) -> Iterator[tuple[Cause, list[str]]]:
    one, other = (_reply(turn) for turn in (first, second))
    if one == other:
        return
    lines = ["@@ reply @@", *marked(one.pop("content"), other.pop("content"))]
    yield "reply", [*(lines if len(lines) > 1 else []), *_lines(one, other)]


def _reply(turn: TurnRecord) -> dict[str, Any]:
    """Return what was answered, the failed tries and repairs behind it too."""
    tried = [{"error": plain(one.error), "content": one.content} for one in turn.attempts]
    return {
        "content": turn.content,
        "thinking": turn.thinking,
        "answered": turn.model,
        "error": plain(turn.error),
        "done_reason": turn.done_reason,
        "tool_calls": list(turn.tool_calls),
        "attempts": tried,
    }


def _end(transcript: Transcript) -> dict[str, Any]:
    ended = plain(transcript.ended_by)
    return {"status": transcript.status, "ended_by": ended, "result": plain(transcript.result)}


def _around(transcript: Transcript) -> dict[str, Any]:
    versions = {key: value for key, value in plain(transcript.versions).items() if key != "models"}
    return {"file": transcript.pipeline.file, "rules": transcript.rules, "versions": versions}


def _lines(old: Any, new: Any) -> list[str]:
    return [line for change in changes(old, new) for line in change.lines()]
