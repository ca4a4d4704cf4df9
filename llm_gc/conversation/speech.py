"""One turn, from the limits before it to the stop tokens after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from llm_gc.control_tokens import tokens_in
from llm_gc.conversation import structured
from llm_gc.conversation.history import History, Said, Told
from llm_gc.conversation.question import Question, applies, odd
from llm_gc.conversation.request import GO_ON, newest_sent
from llm_gc.conversation.stage import Repeats
from llm_gc.conversation.turn import Ending, Exchange, Turn
from llm_gc.errors import TemplateError
from llm_gc.frozen import FrozenDict, as_text
from llm_gc.labels import key
from llm_gc.protocol import Failure, Flow, Message, Speaker, Speech
from llm_gc.steps.fields import View
from llm_gc.steps.stops import says

if TYPE_CHECKING:
    from llm_gc.conversation.scope import StepScope


def speak(scope: StepScope, words: Speech) -> Flow:
    """Let a role speak: look at the limits, ask, record what came of it, and look for an end."""
    scope.check_limits()
    scope.visit("spoke", words.role)
    question = Question(scope, scope.speaker(words.role), words)
    _tell(question)
    exchange, earlier, data = yield from question.settle()
    _record(question, exchange, earlier, data)
    _end(scope, question.speaker, exchange)


def _tell(question: Question) -> None:
    """Put the turn's instruction into the history, or what stands in for one after a message of one's own."""
    scope, speaker, instruction = question.scope, question.speaker, question.words.instruction
    history, stage = scope.branch.history, scope.stage
    otherwise = partial(_stands_in, history, len(history), question.view, speaker, question.dropped)
    if instruction is None:
        if otherwise():
            history.add(Told(speaker, otherwise))
        return
    moment, path = scope.moment(speaker.role), (*scope.path, "instruction")

    def told() -> str:  # one that comes out empty is none
        return stage.sent(path, instruction, moment.lookup).strip() or otherwise()

    history.add(Told(speaker, told))


def _stands_in(history: History, end: int, view: View, speaker: Speaker, start: int) -> str:
    """Give what stands in for an instruction where the last message that a speaker is sent is its own."""
    newest = newest_sent(history, end, view, speaker, start)
    return GO_ON if newest is not None and newest.is_own(speaker) else ""


def _record(question: Question, exchange: Exchange, earlier: tuple[Exchange, ...], data: Any) -> None:
    """Make the turn a message, whatever became of it."""
    scope, speaker, words = question.scope, question.speaker, question.words
    branch, stage, failed = scope.branch, scope.stage, exchange.failure is not None
    for tally in branch.tallies:
        tally.turns += 1
    number = None if branch.in_block else branch.tallies[0].turns
    content = "" if failed else exchange.reply.content
    if failed:
        data = structured.defaults(exchange.ask.format)
    said, broken = stage.without_label(speaker.role, content), None
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
            said = scope.marked(_told_instead(question, message), [label, message.label], lambda: content)
    except TemplateError as found:
        said, broken = "", found
    message = replace(message, heard=said)
    others = scope.labels.found(content, {key(label), key(message.label)})
    spoken_as = (f"a line of the reply speaks as {other}" for other in others)
    warnings = (*odd(exchange, earlier), *_cut(exchange), *_tokens(content), *spoken_as)
    turn = Turn(number, exchange, message, earlier, bool(said), said, warnings)
    branch.history.add(Said(speaker, message, said, exchange.ask.id))
    branch.record(turn)
    if words.name:
        branch.name(words.name, message)
    if broken is not None:  # the turn was taken all the same
        raise broken


def _cut(exchange: Exchange) -> Iterator[str]:
    """Give the advice about a reply that was cut; one that the server ended for its length has figures enough."""
    reply = exchange.reply
    if exchange.failure is None and reply.cut_by is not None and reply.done_reason != "length":
        yield reply.cut_by.message


def _tokens(content: str) -> Iterator[str]:
    """Return what is done about the control tokens in a reply."""
    if found := tokens_in(content):
        yield f"control tokens in the reply are broken wherever it is sent: {', '.join(found[:3])}"


def _told_instead(question: Question, message: Message) -> str:
    """Render what the others hear in place of a message, which is ``last`` for that, and whose turn it is."""
    scope, words = question.scope, question.words
    lookup = scope.moment(message.role)._replace(turn=message.turn).lookup

    def with_message(name: str) -> Any:
        if name == "last" or (words.name and name == words.name):
            return message
        value = lookup(name)
        return FrozenDict({**value, message.role: message}) if name == "said" else value

    return as_text(scope.stage.render((*scope.path, "result"), words.result, with_message)).strip()


def _end(scope: StepScope, speaker: Speaker, exchange: Exchange) -> None:
    """End the conversation where this turn ends it."""
    if exchange.failure is not None:
        _end_by_failure(scope, exchange.failure)
        return
    if scope.branch.turns[-1].heard:
        _end_by_words(scope, speaker, exchange)
    if exchange.reply.cut_by is not None and exchange.reply.cut_by.limit == "max_time":
        _check_time(scope)


def _end_by_words(scope: StepScope, speaker: Speaker, exchange: Exchange) -> None:
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


def _end_by_failure(scope: StepScope, failure: Failure) -> None:
    """End the conversation where a turn that failed ends it."""
    bounds = scope.branch.bounds
    if failure.kind == "overflow":
        if bounds.on_overflow == "drop_oldest":  # it would have been asked again, had there been time
            _check_time(scope)
        raise Ending("overflow", failure.message, failure.kind)
    if failure.kind in ("template", "unreachable") or bounds.on_error == "stop":
        raise Ending("error", failure.message, failure.kind)


def _check_time(scope: StepScope) -> None:
    """End the scene, or one around it, where no time is left."""
    for level, tally in enumerate(scope.branch.tallies):
        tally.check_time(level)


def _repeats(scope: StepScope, speaker: Speaker, repeats: Repeats) -> bool:
    """Check whether so many of the newest messages are equal, space folded: of a speaker, or of anybody."""
    history = scope.branch.history
    own = (history[position] for position in history.said_by(speaker, len(history)))
    said = history.said(len(history)) if repeats.across else (one for one in own if isinstance(one, Said))
    contents = [" ".join(one.message.content.split()) for one in islice(said, repeats.times)]
    return len(contents) == repeats.times and len(set(contents)) == 1
