"""A played conversation held against what its case expects, and the difference line by line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from llm_gc.core import Conversation, Exchange, Outcome, Turn
from llm_gc.core.outcome import Reason, Status
from llm_gc.protocol import Ask, Message, Path
from llm_gc.testing.scripted import Played, names
from llm_gc.transcript.cases import Case, Contained, Expected, ExpectedAsk, ExpectedEnd, MatchSpec, Texts, as_match
from llm_gc.values import regex

MAX_LINES = 40
"""So many lines of a diff are shown."""

AROUND = 2
"""So many lines around what differs are shown with it."""


def diff(expected: Any, actual: Any) -> tuple[str, ...]:
    """Return how a value differs from what was expected."""
    one, other = _lines(expected, actual), _lines(actual, expected)
    return _cut(list(_compared(one, other)))


def nearest(expected: str, actual: str) -> tuple[str, ...]:
    """Return how a text differs from one that it was to contain, at the place where it comes nearest to that."""
    one, other = expected.splitlines(), actual.splitlines()
    lines = list(_compared(one, other))
    shared = [number for number, line in enumerate(lines) if not line.startswith("+")]
    start, end = max(shared[0] - AROUND, 0), shared[-1] + AROUND + 1
    if all(lines[number].startswith("-") for number in shared):  # nothing in common: show it all
        start, end = 0, len(lines)
    before, after = ["  …"] if start else [], ["  …"] if end < len(lines) else []
    return _cut([*before, *lines[start:end], *after])


def shown(value: Any) -> str:
    """Show a value in one line, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = json.dumps(text, ensure_ascii=False) if isinstance(value, str) else text
    return text if len(text) <= 80 else text[:79] + "…"


def _compared(expected: Sequence[str], actual: Sequence[str]) -> Iterator[str]:
    matcher = SequenceMatcher(None, expected, actual, autojunk=False)
    for tag, one, one_end, other, other_end in matcher.get_opcodes():
        if tag == "equal":
            yield from (f"  {line}" for line in expected[one:one_end])
            continue
        missing, instead = expected[one:one_end], actual[other:other_end]
        if " ".join(missing).split() == " ".join(instead).split():  # they would look alike
            missing, instead = list(map(_visible, missing)), list(map(_visible, instead))
        yield from (f"- {line}" for line in missing)
        yield from (f"+ {line}" for line in instead)


def _lines(value: Any, beside: Any) -> list[str]:
    """Return a value as lines: a text as it is where the other one is a text too, a list of texts with one in each."""
    if isinstance(value, str) and isinstance(beside, str):
        if value != beside and value.splitlines() == beside.splitlines():
            return [_visible(line) for line in value.splitlines(keepends=True)]
        return value.splitlines() or ["(empty)"]
    if isinstance(value, list) and isinstance(beside, list):
        return [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in value] or ["(none)"]
    return json.dumps(value, ensure_ascii=False, indent=2).splitlines()


_MARKS = str.maketrans({" ": "·", "\t": "→", "\u00a0": "⍽", "\n": "↵", "\r": "␍"})


def _visible(line: str) -> str:
    """Return a line with marks in the place of its white space."""
    return line.translate(_MARKS)


def _cut(lines: list[str]) -> tuple[str, ...]:
    if len(lines) <= MAX_LINES:
        return tuple(lines)
    return (*lines[:MAX_LINES], f"  … {len(lines) - MAX_LINES} more lines")


@dataclass(frozen=True)
class Mismatch:
    """An expectation that does not hold: its path in the test file, a sentence, and lines that show it."""

    path: Path
    message: str
    lines: tuple[str, ...] = ()


def same(one: Any, other: Any) -> bool:
    """Compare as JSON does: true is not 1, and 1.0 is."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def equal(what: str, expected: Any, actual: Any, path: Path) -> Iterator[Mismatch]:
    """Hold a value against the one that was expected."""
    if not same(expected, actual):
        yield Mismatch(path, f"{what} is not as expected", diff(expected, actual))


def value(what: str, expected: Any, actual: Any, path: Path) -> Iterator[Mismatch]:
    """Hold a value against the one that was expected, or against a map of what it must be like."""
    match = as_match(expected)
    if match is None:
        yield from equal(what, expected, unwrapped(actual, expected), path)
    else:
        yield from matched(what, match, actual, path)


def contained(what: str, expected: Contained, actual: str, path: Path) -> Iterator[Mismatch]:
    """Hold a text against those that were to be in it, or against a map of what it must be like."""
    if isinstance(expected, MatchSpec):
        yield from matched(what, expected, actual, path)
        return
    for text, at in _each(expected, path):
        if text not in actual:
            yield Mismatch(at, f"{what} does not contain {shown(text)}", nearest(text, actual))


def lacking(what: str, unwanted: Texts, actual: str, path: Path) -> Iterator[Mismatch]:
    """Hold a text against those that were not to be in it."""
    for text, at in _each(unwanted, path):
        if text in actual:
            number = actual[: actual.index(text)].count("\n")
            lines = actual.splitlines()[number : number + text.count("\n") + 1]
            yield Mismatch(at, f"{what} contains {shown(text)}", tuple(f"+ {line}" for line in lines))


def whole(what: str, expected: str | MatchSpec, actual: str, path: Path) -> Iterator[Mismatch]:
    """Hold a text against the one that was expected, or against a map of what it must be like."""
    if isinstance(expected, MatchSpec):
        yield from matched(what, expected, actual, path)
    else:
        yield from equal(what, expected, actual, path)


def matched(what: str, match: MatchSpec, actual: Any, path: Path) -> Iterator[Mismatch]:
    """Hold a value against all that a map says of it."""
    if match.is_given("equals"):
        yield from equal(what, match.equals, unwrapped(actual, match.equals), (*path, "equals"))
    rest = match.model_fields_set - {"equals"}
    text = unwrapped(actual, "")
    if rest and not isinstance(text, str):
        yield Mismatch(path, f"{what} is no text", diff("a text", text))
        return
    if match.contains is not None:
        yield from contained(what, match.contains, text, (*path, "contains"))
    if match.lacks is not None:
        yield from lacking(what, match.lacks, text, (*path, "lacks"))
    if match.starts is not None and not text.startswith(match.starts):
        begin = text[: len(match.starts)]
        yield Mismatch((*path, "starts"), f"{what} begins otherwise", diff(match.starts, begin))
    if match.ends is not None and not text.endswith(match.ends):
        end = text[-len(match.ends) :]
        yield Mismatch((*path, "ends"), f"{what} ends otherwise", diff(match.ends, end))
    if match.matches is not None and regex.compile(match.matches).search(text) is None:
        lines = (f"- {match.matches}", *(f"+ {line}" for line in text.splitlines()[:20]))
        yield Mismatch((*path, "matches"), f"{what} does not match", lines)


def unwrapped(actual: Any, expected: Any) -> Any:
    """Return a value without messages: each is its content where a text was expected, and its data elsewhere."""
    if isinstance(actual, Message):
        return actual.content if isinstance(expected, str) or actual.data is None else unwrapped(actual.data, None)
    if isinstance(actual, list):
        beside = expected if isinstance(expected, list) else []
        return [unwrapped(one, beside[n] if n < len(beside) else "") for n, one in enumerate(actual)]
    if isinstance(actual, Mapping):
        given = expected if isinstance(expected, Mapping) else {}
        return {key: unwrapped(one, given.get(key)) for key, one in actual.items()}
    return actual


def _each(texts: Texts, path: Path) -> Iterator[tuple[str, Path]]:
    if isinstance(texts, str):
        yield texts, path
    else:
        yield from ((text, (*path, index)) for index, text in enumerate(texts))


def compare(case: Case, played: Played, at: Path) -> Iterator[Mismatch]:
    """Yield everything that is not as the case expects it; ``at`` is the case's path in its file.

    Where the script broke off, that alone: what would have come is not known.
    """
    outcome = played.conversation.outcome
    if outcome is None:
        yield _broken_off(case, played, at)
        return
    for path in played.left:
        count = len(_turns(played.conversation))
        after = f"it ended after {count} turn{'' if count == 1 else 's'} ({outcome.reason}: {outcome.detail})"
        yield Mismatch((*at, "replies", *path), f"nobody asked for this reply of {path[0]}; {after}")
    expected = case.expect or Expected.model_validate({})
    yield from _end(expected, outcome, at)
    yield from _whole(expected, played, outcome, (*at, "expect"))
    for index, ask in enumerate(expected.asks or ()):
        yield from _Asks(played).compare(ask, (*at, "expect", "asks", index))


def _turns(conversation: Conversation) -> list[Turn]:
    return [turn for turn in conversation.turns if not turn.is_pick]


def _broken_off(case: Case, played: Played, at: Path) -> Mismatch:
    if played.missing is None:
        message = f"it does not end: {len(played.asks):,} asks were answered, and more were to come"
        return Mismatch((*at, "name"), message)
    ask, speaker = played.missing, played.speakers[-1]
    who = next((name for name in names(speaker) if name in case.replies), None)
    times = sum(one == speaker for one in played.speakers)
    name = names(speaker)[0 if speaker.copy else 1]
    what = "no reply" if who is None else "no further reply"
    message = f"there is {what} of {name}, which is asked for the {_ordinal(times)} time, at {ask.id}"
    so_far = ", ".join(one.speaker.role for one in played.asks)
    sent = [line for one in ask.request.messages[-1:] for line in one["content"].splitlines()]
    lines = (f"asked so far: {so_far}", "it is sent last:", *(f"  {line}" for line in sent[-20:]))
    return Mismatch(
        (*at, "replies", who) if who else (*at, "replies") if case.replies else (*at, "name"), message, lines
    )


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _end(expected: Expected, outcome: Outcome, at: Path) -> Iterator[Mismatch]:
    ended, path = expected.ended, (*at, "expect", "ended")
    if ended is None:
        if outcome.status == "failed":
            yield Mismatch((*at, "name"), f"it failed, and no failure was expected: {outcome.detail}")
        return
    if not isinstance(ended, ExpectedEnd):
        if not _ended_so(ended, outcome):
            actual: str = outcome.status if ended in ("completed", "stopped", "failed") else outcome.reason
            actual = f"{outcome.status} ({outcome.reason})" if outcome.is_failed else actual
            yield Mismatch(path, "it ended otherwise", (f"- {ended}", f"+ {actual}: {outcome.detail}"))
        return
    if ended.status is not None:
        yield from equal("the status at the end", ended.status, outcome.status, (*path, "status"))
    if ended.reason is not None:
        yield from equal("the reason of the end", ended.reason, outcome.reason, (*path, "reason"))
    if ended.detail is not None:
        yield from contained("what is said of the end", ended.detail, outcome.detail, (*path, "detail"))


def _ended_so(ended: Reason | Status, outcome: Outcome) -> bool:
    """Return whether it ended so; a reason alone, but for ``error``, expects that nothing has failed."""
    return ended == outcome.status or (ended == outcome.reason and not outcome.is_failed)


def _whole(expected: Expected, played: Played, outcome: Outcome, at: Path) -> Iterator[Mismatch]:
    turns = _turns(played.conversation)
    if expected.speakers is not None:
        speakers = [turn.message.role for turn in turns]
        yield from equal("who speaks", expected.speakers, speakers, (*at, "speakers"))
    if expected.asked is not None:
        asked = [ask.speaker.role for ask in played.asks]
        yield from equal("who is asked", expected.asked, asked, (*at, "asked"))
    if expected.turns is not None:
        yield from equal("the number of turns", expected.turns, len(turns), (*at, "turns"))
    variables = played.conversation.variables
    for name, wanted in (expected.variables or {}).items():
        path = (*at, "variables", name)
        if name not in variables:
            yield Mismatch(path, f"{name} is not set at the end", (f"- {shown(wanted)}",))
        else:
            yield from value(name, wanted, variables[name], path)
    if expected.is_given("result"):
        yield from value("the result", expected.result, outcome.result, (*at, "result"))


class _Asks:
    """All that was asked, and what became of it."""

    def __init__(self, played: Played) -> None:
        self._asks = list(zip(played.asks, played.speakers, strict=True))
        self._turns = {
            exchange.ask.id: (turn, exchange)
            for turn in played.conversation.turns
            for exchange in (*turn.attempts, turn.exchange)
        }

    def compare(self, expected: ExpectedAsk, at: Path) -> Iterator[Mismatch]:
        """Find the ask that is meant, and hold it against what is expected of it."""
        found = self._find(expected, at)
        if isinstance(found, Mismatch):
            yield found
            return
        what = f"what {found.speaker.role} is sent"
        system, messages = _split(found)
        text = "\n\n".join(content for _, content in ([("system", system)] if system else []) + messages)
        if expected.sent is not None:
            yield from contained(what, expected.sent, text, (*at, "sent"))
        if expected.not_sent is not None:
            yield from lacking(what, expected.not_sent, text, (*at, "not_sent"))
        if expected.system is not None:
            yield from contained(f"the system prompt of {found.speaker.role}", expected.system, system, (*at, "system"))
        if expected.messages is not None:
            yield from _messages(expected, messages, at)
        if expected.offered is not None:
            offered = list(found.format["properties"]["next"]["enum"]) if found.is_pick else None
            yield from equal("who can be chosen", expected.offered, offered, (*at, "offered"))
        yield from _came_of_it(expected, found, *self._turns[found.id], at)

    def _find(self, expected: ExpectedAsk, at: Path) -> Ask | Mismatch:
        if expected.turn is not None:
            turns = (turn for turn, _ in self._turns.values() if turn.number == expected.turn)
            turn = next(turns, None)
            return turn.exchange.ask if turn else Mismatch((*at, "turn"), f"there is no turn {expected.turn}")
        asks = [ask for ask, speaker in self._asks if expected.role in names(speaker)]
        number = expected.ask or len(asks)
        if 0 < number <= len(asks):
            return asks[number - 1]
        often = {0: "never", 1: "once"}.get(len(asks), f"{len(asks)} times")
        return Mismatch((*at, "ask" if expected.ask else "role"), f"{expected.role} is asked {often}")


def _split(ask: Ask) -> tuple[str, list[tuple[str, str]]]:
    """Return the system prompt, and the messages after it."""
    messages = [(message["role"], message["content"]) for message in ask.request.messages]
    return (messages[0][1], messages[1:]) if messages[0][0] == "system" else ("", messages)


def _messages(expected: ExpectedAsk, messages: list[tuple[str, str]], at: Path) -> Iterator[Mismatch]:
    wanted = [
        ("user", one.user) if one.user is not None else ("assistant", one.assistant) for one in expected.messages or ()
    ]
    kinds, path = [kind for kind, _ in messages], (*at, "messages")
    if [kind for kind, _ in wanted] != kinds:
        yield from equal("the order of the messages", [kind for kind, _ in wanted], kinds, path)
        return
    for index, ((kind, content), (_, text)) in enumerate(zip(messages, wanted, strict=True)):
        if text is not None:
            yield from whole(f"message {index + 1}", text, content, (*path, index, kind))


def _came_of_it(expected: ExpectedAsk, ask: Ask, turn: Turn, exchange: Exchange, at: Path) -> Iterator[Mismatch]:
    settled = turn.exchange is exchange
    if expected.is_given("data"):
        data = turn.message.data if settled else None
        yield from equal(f"the data of {ask.speaker.role}", expected.data, data, (*at, "data"))
    if expected.heard is not None:
        heard = turn.said if settled and turn.heard else ""
        yield from whole(f"what is heard of {ask.speaker.role}", expected.heard, heard, (*at, "heard"))
    if expected.failed is not None:
        failure = exchange.failure
        wanted = expected.failed if isinstance(expected.failed, bool) else True
        if wanted != (failure is not None):
            how = failure.message if failure else "there is a reply"
            yield Mismatch((*at, "failed"), f"the ask of {ask.speaker.role} came out otherwise: {how}")
        elif failure is not None and expected.failed not in (True, failure.kind):
            yield from equal("why there is no reply", expected.failed, failure.kind, (*at, "failed"))
