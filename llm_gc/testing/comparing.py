"""A conversation that was played, held against what a case expects of it."""

from __future__ import annotations

from collections.abc import Iterator

from llm_gc.cases import Case, Expected, ExpectedAsk, ExpectedEnd
from llm_gc.conversation import Conversation, Exchange, Outcome, Turn
from llm_gc.conversation.turn import Reason, Status
from llm_gc.drivers.scripted import Played, names
from llm_gc.protocol import Ask, Path
from llm_gc.testing.diff import shown
from llm_gc.testing.matching import Mismatch, contained, equal, lacking, value, whole


def compare(case: Case, played: Played, at: Path) -> Iterator[Mismatch]:
    """Give everything that is not as the case expects it; ``at`` is the case's path in its file.

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
    """Give the system prompt, and the messages after it."""
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
