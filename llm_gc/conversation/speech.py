"""One turn, from the limits before it to the stop tokens after it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from llm_gc.conversation import structured
from llm_gc.conversation.history import Entry, Said, Told
from llm_gc.conversation.request import GO_ON, compose, newest_sent, visible
from llm_gc.conversation.stops import says
from llm_gc.conversation.turn import Ending, Exchange, Turn
from llm_gc.frozen import FrozenDict
from llm_gc.protocol import Ask, Failure, Flow, Message, Part, Path, Reply, Request, Speaker, Speech
from llm_gc.steps.fields import View, schema_of

if TYPE_CHECKING:
    from llm_gc.conversation.scope import Moment, StepScope


def speak(scope: StepScope, words: Speech) -> Flow:
    """Let a role speak: ask, ask again where a structured reply does not fit, record, and look for an end."""
    for tally in scope.branch.tallies:
        tally.check()
    speaker = scope.speaker(words.role)
    _tell(scope, speaker, words)
    question = _Question(scope, speaker, words)
    tries: list[Exchange] = []
    exchange, data = question.judge(reply := (yield from scope.ask(question.ask)))
    while (again := question.again(exchange, tries)) is not None:
        tries.append(exchange)
        exchange, data = again.judge(reply := (yield from scope.ask(again.ask)))
        question = again
    _record(scope, speaker, words, exchange, tuple(tries), data)
    _end(scope, speaker, exchange, reply)


def _tell(scope: StepScope, speaker: Speaker, words: Speech) -> None:
    """Put the turn's instruction into the history, or what stands in for one after a message of one's own."""
    history = scope.branch.history
    if words.instruction is not None:
        moment, path = scope.moment(words.role), (*scope.path, "instruction")
        stage, template = scope.stage, words.instruction
        history.add(Told(speaker, lambda: str(stage.render(path, template, moment.lookup)).strip()))
        return
    newest = newest_sent(history, _view(scope, words), speaker, _dropped(scope, speaker))
    if isinstance(newest, Said) and newest.speaker == speaker:
        history.add(Told(speaker, lambda: GO_ON))


def _view(scope: StepScope, words: Speech) -> View:
    view: View = words.sees or scope.stage.pipeline.roles[words.role].sees
    return view


def _dropped(scope: StepScope, speaker: Speaker) -> int:
    return int(scope.branch.dropped.get(f"{speaker.role}/{speaker.copy}", 0))


class _Question:
    """An ask in the making: its request, and what follows when the reply will not do."""

    def __init__(self, scope: StepScope, speaker: Speaker, words: Speech, attempt: int = 1, repair: Any = ()) -> None:
        self.scope, self.speaker, self.words, self.attempt, self.repair = scope, speaker, words, attempt, repair
        self.schema = schema_of(words.format if words.format is not None else self._role.format)
        self.ask = self._ask()

    @property
    def _role(self) -> Any:
        return self.scope.stage.pipeline.roles[self.words.role]

    def _ask(self) -> Ask:
        scope, stage, speaker = self.scope, self.scope.stage, self.speaker
        casting, tallies = stage.castings[speaker.role], scope.branch.tallies
        bounds = tallies[-1].bounds
        id_ = scope.place + (f"#{self.attempt}" if self.attempt > 1 else "")
        options = dict(casting.options)
        if self.words.temperature is not None:
            options["temperature"] = scope.render("temperature", self.words.temperature)
        caps = (self.words.max_tokens, casting.max_tokens, bounds.max_tokens)
        options["num_predict"] = min(cap for cap in caps if cap is not None)
        options["seed"] = _seed(stage.seed, id_) if casting.seed is None else casting.seed + speaker.copy
        left = [t.bounds.max_time - t.seconds for t in tallies if t.bounds.max_time is not None]
        moment = scope.moment(speaker.role)
        return Ask(
            id=id_,
            step=scope.path,
            speaker=speaker,
            label=stage.label(speaker),
            casting=casting,
            options=FrozenDict(options),
            deadline=min([bounds.timeout, *left]),
            load_timeout=bounds.load_timeout,
            retries=bounds.retries,
            render=lambda: self._compose(moment),
            format=self.schema,
            stops=tuple(
                s.token for s in stage.pipeline.stop if s.token and s.match != "regex" and _applies(s, speaker)
            ),
            turn=moment.turn,
            attempt=self.attempt,
        )

    def _compose(self, moment: Moment) -> Request:
        stage, speaker, view = self.scope.stage, self.speaker, _view(self.scope, self.words)
        path: Path = ("roles", speaker.role, "prompt")
        system = stage.render(path, self._role.prompt or "", moment.lookup)
        opening = stage.render_input(("opening",), stage.pipeline.opening or "") if view.opening else ""
        start = _dropped(self.scope, speaker)
        entries: Iterator[Entry] = visible(moment.history, moment.end, view, speaker, start)
        request = compose(str(system), str(opening), entries, speaker)
        return Request((*request.parts, *self.repair))

    def judge(self, reply: Reply) -> tuple[Exchange, Any]:
        """Say whether a reply will do, and give its data."""
        if reply.failure is not None:
            return Exchange(self.ask, reply, reply.failure), None
        empty = _emptiness(self.scope, self.speaker.role, reply)
        if empty:
            return Exchange(self.ask, reply, Failure("empty", empty)), None
        if self.schema is None:
            return Exchange(self.ask, reply), None
        data, wrong = structured.parse(reply.content, self.schema)
        if wrong and reply.cut:
            wrong = f"it was cut after {self.ask.options['num_predict']} tokens; raise max_tokens"
        return Exchange(self.ask, reply, structured.malformed(wrong) if wrong else None), data

    def again(self, exchange: Exchange, tries: list[Exchange]) -> _Question | None:
        """Give the question to ask next, none where the exchange settles the turn."""
        if exchange.failure is None:
            return None
        bounds = self.scope.branch.tallies[-1].bounds
        next_ = self.attempt + 1
        if exchange.failure.kind == "overflow" and bounds.on_overflow == "drop_oldest" and self._drop():
            return _Question(self.scope, self.speaker, self.words, next_, self.repair)
        repairs = sum(e.failure is not None and e.failure.kind == "malformed" for e in tries)
        if exchange.failure.kind != "malformed" or exchange.reply.cut or repairs >= bounds.repairs:
            return None
        wrong = exchange.failure.message.removeprefix("The structured reply does not fit its format: ").rstrip(".")
        repair = (Part("assistant", exchange.reply.content), Part("user", structured.repair(wrong)))
        return _Question(self.scope, self.speaker, self.words, next_, repair)

    def _drop(self) -> bool:
        """Drop the older half of what the speaker still sees; false where there is no half left."""
        branch, start = self.scope.branch, _dropped(self.scope, self.speaker)
        view, end = _view(self.scope, self.words), len(branch.history)
        seen = [p for p in range(start, end) if isinstance(branch.history[p], Said)]
        shown = sum(1 for _ in visible(branch.history, end, view, self.speaker, start))
        if len(seen) < 2 or shown < 2:
            return False
        key = f"{self.speaker.role}/{self.speaker.copy}"
        branch.dropped = FrozenDict({**branch.dropped, key: seen[len(seen) // 2]})
        return True


def _seed(seed: int, id_: str) -> int:
    """The low 31 bits of a hash of the conversation's seed and the ask's id."""
    digest = hashlib.sha256(f"{seed}:{id_}".encode()).digest()
    return int.from_bytes(digest[-4:]) & 0x7FFFFFFF


def _applies(stop: Any, speaker: Speaker) -> bool:
    return stop.role is None or stop.role == speaker.role


def _emptiness(scope: StepScope, role: str, reply: Reply) -> str:
    """Say why a whole reply is no reply; empty where it is one."""
    if scope.stage.without_label(role, reply.content).strip():
        return ""
    if reply.tool_calls:
        return "The model answered with a tool call alone, and no tools were offered to it."
    if reply.thinking and reply.cut:
        return "All tokens went into thinking; raise max_tokens, or set think: false."
    return "The model gave an empty reply." + (" It was cut by length; raise max_tokens." if reply.cut else "")


def _record(
    scope: StepScope, speaker: Speaker, words: Speech, exchange: Exchange, tries: tuple[Exchange, ...], data: Any
) -> None:
    branch, stage, failed = scope.branch, scope.stage, exchange.failure is not None
    for tally in branch.tallies:
        tally.turns += 1
    number = branch.tallies[0].turns if not branch.in_block else None
    content = "" if failed else exchange.reply.content
    if failed:
        data = structured.defaults(exchange.ask.format)
    message = Message(speaker.role, stage.label(speaker), content, data, number, failed)
    heard = stage.without_label(speaker.role, content)
    branch.history.add(Said(speaker, message, heard, exchange.ask.id))
    others = [] if failed else stage.impersonated(speaker.role, content)
    warnings = tuple(f"a line of the reply speaks as {label}" for label in others)
    turn = Turn(number, exchange, message, tries, bool(heard), heard, warnings)
    branch.turns.append(turn)
    branch.log.append(turn)
    if words.name:
        branch.name(words.name, message)


def _end(scope: StepScope, speaker: Speaker, exchange: Exchange, reply: Reply) -> None:
    """End the conversation where this turn ends it."""
    failure, bounds = exchange.failure, scope.branch.tallies[-1].bounds
    if failure is not None:
        if failure.kind == "overflow":
            raise Ending("overflow", failure.message, failure.kind)
        if failure.kind in ("template", "unreachable") or bounds.on_error == "stop":
            raise Ending("error", failure.message, failure.kind)
        return
    for index, stop in enumerate(scope.stage.pipeline.stop):
        if not _applies(stop, speaker):
            continue
        if says(stop, reply.content):
            raise Ending("stop_token", f"{speaker.role} said {stop.token}")
        path: Path = ("stop", index, "when")
        if stop.when and scope.stage.evaluate(path, stop.when, scope.moment(speaker.role).lookup):
            raise Ending("stop_token", f"{stop.when} holds")
    if bounds.repetition and _repeats(scope, speaker, bounds.repetition):
        raise Ending("repetition", f"{speaker.role} said the same {bounds.repetition} times running")


def _repeats(scope: StepScope, speaker: Speaker, times: int) -> bool:
    history, same = scope.branch.history, 0
    newest: str | None = None
    for position in history.said_by(speaker, len(history)):
        entry = history[position]
        folded = " ".join(entry.message.content.split()) if isinstance(entry, Said) else ""
        if newest is not None and folded != newest:
            return False
        newest, same = folded, same + 1
        if same == times:
            return True
    return False
