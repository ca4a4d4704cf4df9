"""One turn, from the limits before it to the stop tokens after it; a role's choice of the next speaker is one too."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from llm_gc.core import structured
from llm_gc.core.ask_builder import GO_ON, AskBuilder, applies, newest_sent, odd
from llm_gc.core.history import History, PrivateEntry, SpokenEntry
from llm_gc.core.outcome import Ending, Exchange, Turn
from llm_gc.core.run_context import Repeats
from llm_gc.errors import TemplateError
from llm_gc.language.control_tokens import broken, tokens_in
from llm_gc.language.fields import View
from llm_gc.language.labels import key
from llm_gc.language.stop_tokens import says
from llm_gc.protocol import Failure, Flow, Message, Speaker, TurnSpec
from llm_gc.values.frozen import FrozenDict, as_text

if TYPE_CHECKING:
    from llm_gc.core.step_context import StepContext


def speak(scope: StepContext, words: TurnSpec) -> Flow:
    """Run a turn: check the limits, ask, record the outcome, and check for an end."""
    scope.check_limits()
    scope.visit("spoke", words.role)
    question = AskBuilder(scope, scope.speaker(words.role), words)
    _tell(question)
    exchange, earlier, data = yield from question.settle()
    _record(question, exchange, earlier, data)
    _end(scope, question.speaker, exchange)


def _tell(question: AskBuilder) -> None:
    """Put the turn's instruction into the history, or what stands in for one after a message of one's own."""
    scope, speaker, instruction = question.scope, question.speaker, question.words.instruction
    history, stage = scope.branch.history, scope.stage
    otherwise = partial(_stands_in, history, len(history), question.view, speaker, question.dropped)
    if instruction is None:
        if otherwise():
            history.add(PrivateEntry(speaker, otherwise))
        return
    moment, path = scope.moment(speaker.role), (*scope.path, "instruction")

    def told() -> str:  # one that comes out empty is none
        return stage.sent(path, instruction, moment.lookup).strip() or otherwise()

    history.add(PrivateEntry(speaker, told))


def _stands_in(history: History, end: int, view: View, speaker: Speaker, start: int) -> str:
    """Return what stands in for an instruction where the last message that a speaker is sent is its own."""
    newest = newest_sent(history, end, view, speaker, start)
    return GO_ON if newest is not None and newest.is_own(speaker) else ""


def _record(question: AskBuilder, exchange: Exchange, earlier: tuple[Exchange, ...], data: Any) -> None:
    """Make the turn a message, whatever became of it."""
    scope, speaker, words = question.scope, question.speaker, question.words
    branch, stage, failed = scope.branch, scope.stage, exchange.failure is not None
    for tally in branch.tallies:
        tally.turns += 1
    number = None if branch.in_block else branch.tallies[0].turns
    content = "" if failed else exchange.reply.content
    if failed:
        data = structured.defaults(exchange.ask.format)
    said, authored, broken = stage.without_label(speaker.role, content), frozenset[int](), None
    error = exchange.failure.message if exchange.failure is not None else None
    label: str = stage.roles[speaker.role]["label"]
    message = Message(speaker.role, label, content, data, number, failed, said, error)
    try:
        if words.label is not None:
            lookup = scope.moment()._replace(turn=number).lookup
            own = as_text(stage.render((*scope.path, "speaker"), words.label, lookup))
            message = replace(message, label=own or label)
        message = replace(message, heard=scope.marked(said, [label, message.label]))
        said = message.heard
        if words.result is not None and not failed:
            said, authored = _told_instead(question, message)
            said = scope.marked(said, [label, message.label], lambda: content)
    except TemplateError as found:
        said, broken = "", found
    message = replace(message, heard=said)
    others = scope.labels.found(content, {key(label), key(message.label)})
    spoken_as = (f"a line of the reply speaks as {other}" for other in others)
    warnings = (*odd(exchange, earlier), *_cut(exchange), *_tokens(content), *spoken_as)
    turn = Turn(number, exchange, message, earlier, bool(said), said, warnings)
    branch.history.add(SpokenEntry(speaker, message, said, exchange.ask.id, authored=authored))
    branch.record(turn)
    if words.name:
        branch.name(words.name, message)
    if broken is not None:  # the turn was taken all the same
        raise broken


def _cut(exchange: Exchange) -> Iterator[str]:
    """Yield the advice about a reply that was cut; one that the server ended for its length has figures enough."""
    reply = exchange.reply
    if exchange.failure is None and reply.cut_by is not None and reply.done_reason != "length":
        yield reply.cut_by.message


def _tokens(content: str) -> Iterator[str]:
    """Return what is done about the control tokens in a reply."""
    if found := tokens_in(content):
        yield f"control tokens in the reply are broken wherever it is sent: {', '.join(found[:3])}"


def _told_instead(question: AskBuilder, message: Message) -> tuple[str, frozenset[int]]:
    """Render what the others hear in place of a message, which is ``last`` for that, and whose turn it is.

    Also returns which control tokens in it are the author's own.
    """
    scope, words = question.scope, question.words
    lookup = scope.moment(message.role)._replace(turn=message.turn).lookup

    def with_message(name: str) -> Any:
        if name == "last" or (words.name and name == words.name):
            return message
        value = lookup(name)
        return FrozenDict({**value, message.role: message}) if name == "said" else value

    text = as_text(scope.stage.render((*scope.path, "result"), words.result, with_message))
    return text.strip(), scope.stage.authored(words.result, with_message, text)


def _end(scope: StepContext, speaker: Speaker, exchange: Exchange) -> None:
    """End the conversation where this turn ends it."""
    if exchange.failure is not None:
        _end_by_failure(scope, exchange.failure)
        return
    if scope.branch.turns[-1].heard:
        _end_by_words(scope, speaker, exchange)
    if exchange.reply.cut_by is not None and exchange.reply.cut_by.limit == "max_time":
        _check_time(scope)


def _end_by_words(scope: StepContext, speaker: Speaker, exchange: Exchange) -> None:
    """End the conversation where what the others heard ends it."""
    bounds = scope.branch.bounds
    content = scope.stage.without_label(speaker.role, exchange.reply.content)
    for path, stop in scope.setting.stops:
        if not applies(stop, speaker):
            continue
        if says(stop, content):
            scope.visit("stop", path=path)
            raise Ending("stop_token", f"{speaker.role} said {stop.token}")
        if stop.when and scope.stage.evaluate((*path, "when"), stop.when, scope.moment(speaker.role).lookup):
            scope.visit("stop", path=path)
            raise Ending("stop_token", f"{stop.when} holds")
    if bounds.repetition and _repeats(scope, speaker, bounds.repetition):
        times, across = bounds.repetition
        words = "the same was said" if across else f"{speaker.role} said the same"
        raise Ending("repetition", f"{words} {times} times running")


def _end_by_failure(scope: StepContext, failure: Failure) -> None:
    """End the conversation where a turn that failed ends it."""
    bounds = scope.branch.bounds
    if failure.kind == "overflow":
        if bounds.on_overflow == "drop_oldest":  # it would have been asked again, had there been time
            _check_time(scope)
        raise Ending("overflow", failure.message, failure.kind)
    if failure.kind in ("template", "unreachable") or bounds.on_error == "stop":
        raise Ending("error", failure.message, failure.kind)


def _check_time(scope: StepContext) -> None:
    """End the scene, or one around it, where no time is left."""
    for level, tally in enumerate(scope.branch.tallies):
        tally.check_time(level)


def _repeats(scope: StepContext, speaker: Speaker, repeats: Repeats) -> bool:
    """Check whether so many of the newest messages are equal, space folded: of a speaker, or of anybody."""
    history = scope.branch.history
    own = (history[position] for position in history.said_by(speaker, len(history)))
    said = history.said(len(history)) if repeats.across else (one for one in own if isinstance(one, SpokenEntry))
    contents = [" ".join(one.message.content.split()) for one in islice(said, repeats.times)]
    return len(contents) == repeats.times and len(set(contents)) == 1


def pick(
    scope: StepContext, chooser: str, allowed: Sequence[str], fallback: str | None
) -> Generator[Any, Any, str | None]:
    """Ask a role who speaks; ``fallback`` where it fails or strays. One alone need not be chosen.

    It is no turn, and counts for tokens and time only.
    """
    if len(allowed) == 1:
        return allowed[0]
    scope.check_limits()
    schema = {"type": "object", "properties": {"next": {"enum": list(allowed)}}, "required": ["next"]}
    inner, words = scope._replace(place=f"{scope.place}.by"), TurnSpec(chooser, format=schema)
    speaker = scope.speaker(chooser)
    scope.branch.history.add(PrivateEntry(speaker, lambda: _question(scope, allowed)))
    exchange, earlier, data = yield from AskBuilder(inner, speaker, words, is_pick=True).settle()
    _picks_record(scope, exchange, earlier, data)
    failure = exchange.failure
    if failure is None:
        scope.branch.history.add(PrivateEntry(speaker, lambda: broken(exchange.reply.content), exchange.ask.id))
        return str(data["next"])
    if failure.kind in ("template", "unreachable"):
        raise Ending("error", failure.message, failure.kind)
    return fallback


def _question(scope: StepContext, allowed: Sequence[str]) -> str:
    about = scope.stage.roles
    lines = [f"- {name}: {about[name]['description']}".rstrip(": ") for name in allowed]
    return "\n".join(["Who speaks next? Choose one of these:", *lines, 'Answer with JSON alone: {"next": "<name>"}.'])


def _picks_record(scope: StepContext, exchange: Exchange, earlier: tuple[Exchange, ...], data: Any) -> None:
    ask, failed = exchange.ask, exchange.failure is not None
    content = "" if failed else exchange.reply.content
    error = exchange.failure.message if exchange.failure is not None else None
    message = Message(ask.speaker.role, ask.label, content, data, None, failed, error=error)
    turn = Turn(None, exchange, message, earlier, heard=False, warnings=odd(exchange, earlier), is_pick=True)
    scope.branch.record(turn)
