"""One turn, from the limits before it to the stop tokens after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_gc.conversation import structured
from llm_gc.conversation.history import Said, Told
from llm_gc.conversation.question import Question, applies
from llm_gc.conversation.request import GO_ON, newest_sent
from llm_gc.conversation.stops import says
from llm_gc.conversation.turn import Ending, Exchange, Turn
from llm_gc.protocol import Flow, Message, Path, Speaker, Speech

if TYPE_CHECKING:
    from llm_gc.conversation.scope import StepScope


def speak(scope: StepScope, words: Speech) -> Flow:
    """Let a role speak: ask, ask again where the reply will not do and may be mended, record, look for an end."""
    for tally in scope.branch.tallies:
        tally.check()
    question = Question(scope, scope.speaker(words.role), words)
    _tell(question)
    earlier: list[Exchange] = []
    while True:
        ask = question.ask()
        reply = yield from scope.ask(ask)
        exchange, data = question.judge(ask, reply)
        again = question.again(exchange, earlier)
        if again is None:
            break
        earlier.append(exchange)
        question = again
    _record(question, exchange, tuple(earlier), data)
    _end(scope, question.speaker, exchange)


def _tell(question: Question) -> None:
    """Put the turn's instruction into the history, or what stands in for one after a message of one's own."""
    scope, speaker, instruction = question.scope, question.speaker, question.words.instruction
    history, stage = scope.branch.history, scope.stage
    if instruction is not None:
        moment, path = scope.moment(speaker.role), (*scope.path, "instruction")
        history.add(Told(speaker, lambda: str(stage.render(path, instruction, moment.lookup)).strip()))
        return
    newest = newest_sent(history, question.view, speaker, question.dropped)
    if isinstance(newest, Said) and newest.speaker == speaker:
        history.add(Told(speaker, lambda: GO_ON))


def _record(question: Question, exchange: Exchange, earlier: tuple[Exchange, ...], data: Any) -> None:
    """Make the turn a message, whatever became of it."""
    scope, speaker = question.scope, question.speaker
    branch, stage, failed = scope.branch, scope.stage, exchange.failure is not None
    for tally in branch.tallies:
        tally.turns += 1
    number = None if branch.in_block else branch.tallies[0].turns
    content = "" if failed else exchange.reply.content
    if failed:
        data = structured.defaults(exchange.ask.format)
    message = Message(speaker.role, stage.label(speaker), content, data, number, failed)
    said = stage.without_label(speaker.role, content)
    others = [] if failed else stage.impersonated(speaker.role, content)
    warnings = tuple(f"a line of the reply speaks as {label}" for label in others)
    turn = Turn(number, exchange, message, earlier, bool(said), said, warnings)
    branch.history.add(Said(speaker, message, said, exchange.ask.id))
    branch.turns.append(turn)
    branch.log.append(turn)
    if question.words.name:
        branch.name(question.words.name, message)


def _end(scope: StepScope, speaker: Speaker, exchange: Exchange) -> None:
    """End the conversation where this turn ends it."""
    failure, bounds = exchange.failure, scope.branch.tallies[-1].bounds
    if failure is not None:
        if failure.kind == "overflow":
            raise Ending("overflow", failure.message, failure.kind)
        if failure.kind in ("template", "unreachable") or bounds.on_error == "stop":
            raise Ending("error", failure.message, failure.kind)
        return
    for index, stop in enumerate(scope.stage.pipeline.stop):
        if not applies(stop, speaker):
            continue
        if says(stop, exchange.reply.content):
            raise Ending("stop_token", f"{speaker.role} said {stop.token}")
        path: Path = ("stop", index, "when")
        if stop.when and scope.stage.evaluate(path, stop.when, scope.moment(speaker.role).lookup):
            raise Ending("stop_token", f"{stop.when} holds")
    if bounds.repetition and _repeats(scope, speaker, bounds.repetition):
        raise Ending("repetition", f"{speaker.role} said the same {bounds.repetition} times running")


def _repeats(scope: StepScope, speaker: Speaker, times: int) -> bool:
    """Tell whether a speaker's newest ``times`` messages are equal, space folded."""
    history, newest, same = scope.branch.history, None, 0
    for position in history.said_by(speaker, len(history)):
        entry = history[position]
        content = " ".join(entry.message.content.split()) if isinstance(entry, Said) else None
        if newest is not None and content != newest:
            return False
        newest, same = content, same + 1
        if same == times:
            return True
    return False
