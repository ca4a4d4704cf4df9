"""Builds the ask for one turn: what the speaker is sent, whether it fits, and how a failed reply is asked for again."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from llm_gc.core import structured
from llm_gc.core.context_window import Measured, is_crowded, overflown, shortened, too_large, window_of
from llm_gc.core.history import Entry, History, PrivateEntry, SpokenEntry
from llm_gc.core.outcome import Exchange
from llm_gc.errors import TemplateError
from llm_gc.language.control_tokens import broken
from llm_gc.language.fields import Stop, View, schema_of
from llm_gc.language.limits import most_tokens
from llm_gc.language.pipeline import Role, number
from llm_gc.protocol import Ask, Failure, Part, Reply, Request, Speaker, TurnSpec
from llm_gc.values.frozen import FrozenDict

if TYPE_CHECKING:
    from llm_gc.core.step_context import StepContext
    from llm_gc.core.template_context import Snapshot


GO_ON = "Go on."
"""What a speaker is told when the last message is its own and there is no instruction."""


def compose(system: str, opening: str, entries: Iterable[Entry], speaker: Speaker) -> Request:
    """Assemble a request.

    Raises:
        TemplateError: where there is nothing to answer: no opening, nothing heard and no instruction.

    """
    start = (Part("system", system.strip()), Part("user", opening.strip()))
    parts = [part for part in start if part.text]
    said = (e.part if isinstance(e, PrivateEntry) else e.own if e.speaker == speaker else e.others for e in entries)
    parts += [part for part in said if part.text]
    if not parts or parts[-1].kind != "user":
        words = "has nothing to answer: no opening, nothing that it sees, no instruction; give it one of them"
        raise TemplateError(f"{speaker.role} {words}")
    return Request(tuple(parts))


def visible(history: History, end: int, view: View, speaker: Speaker, start: int = 0) -> list[Entry]:
    """Return the entries that a speaker is sent, of those between ``start`` and ``end`` in its order.

    What failed is sent to nobody. ``view.last`` keeps the newest of each speaker, and as many instructions.
    """
    if view.last is None and view.from_ != "none":
        return [entry for entry in history.sent(speaker, start, end) if _is_sent(entry, view, speaker)]
    return [entry for _, entry in ranked(history, end, view, speaker, start)]


def ranked(history: History, end: int, view: View, speaker: Speaker, start: int = 0) -> list[tuple[int, Entry]]:
    """Return the same, each with its rank in the speaker's order."""
    if view.last is None and view.from_ != "none":
        sent = enumerate(history.sent(speaker, start, end), start)
        return [(rank, entry) for rank, entry in sent if _is_sent(entry, view, speaker)]
    speakers = () if view.from_ == "none" else history.speakers() | {speaker}
    newest = [islice(_sent_of(history, other, end, view, speaker), view.last) for other in speakers]
    told = islice(history.told_to(speaker, end), view.last)
    ranks = sorted((history.rank(speaker, position), position) for position in chain(told, *newest))
    return [(rank, history.view(speaker, position)) for rank, position in ranks if rank >= start]


def newest_sent(history: History, end: int, view: View, speaker: Speaker, start: int = 0) -> Entry | None:
    """Return the last entry that a speaker would be sent, of those before ``end`` in its order."""
    if view.from_ in ("none", "own"):  # what the others said in between need not be looked at
        said = () if view.from_ == "none" else islice(_sent_of(history, speaker, end, view, speaker), 1)
        newest = chain(said, islice(history.told_to(speaker, end), 1))
        rank, position = max(((history.rank(speaker, at), at) for at in newest), default=(-1, -1))
        return history.view(speaker, position) if rank >= start else None
    return next((entry for entry in history.sent_back(speaker, start, end) if _is_sent(entry, view, speaker)), None)


def _sent_of(history: History, other: Speaker, end: int, view: View, speaker: Speaker) -> Iterator[int]:
    """Yield the positions before ``end`` of what somebody said and the speaker is sent, the newest first."""
    own = other == speaker
    for position in history.own_by(speaker, end) if own else history.said_by(other, end):
        entry = history.view(speaker, position)
        if _is_sent(entry, view, speaker) and (own or entry.speaker != speaker):
            yield position


def _is_sent(entry: Entry, view: View, speaker: Speaker) -> bool:
    if isinstance(entry, PrivateEntry):
        return entry.speaker == speaker
    own = entry.speaker == speaker
    if entry.message.failed or not (own or entry.heard):
        return False
    if view.from_ == "all":
        return True
    match view.from_:
        case "none":
            return False
        case "own":
            return own
        case "others":
            return not own
        case roles:
            return entry.speaker.role in roles


class AskBuilder(NamedTuple):
    """What is asked of a speaker in one turn; ``repair`` are the parts that ask again for a reply that fits.

    One that ``is_reseeded`` is asked again in the same words, after an empty reply, and has another seed for that.
    """

    scope: StepContext
    speaker: Speaker
    words: TurnSpec
    attempt: int = 1
    repair: tuple[Part, ...] = ()
    is_pick: bool = False
    is_reseeded: bool = False

    @property
    def view(self) -> View:
        """What the speaker sees in this turn."""
        view: View = self.words.sees or self._role.sees
        return view

    @property
    def dropped(self) -> int:
        """How many entries of its order the speaker is no longer sent."""
        return self.scope.branch.dropped.get(self.speaker, 0)

    @property
    def _id(self) -> str:
        return self.scope.place + (f"#{self.attempt}" if self.attempt > 1 else "")

    @property
    def _role(self) -> Role:
        return self.scope.stage.pipeline.roles[self.words.role]

    @property
    def _schema(self) -> dict[str, Any] | None:
        return schema_of(self.words.format if self.words.format is not None else self._role.format)

    def ask(self) -> Ask:
        """Return the ask; its request is rendered when it is read, in the current state."""
        scope, stage, speaker = self.scope, self.scope.stage, self.speaker
        tallies, moment, start = scope.branch.tallies, scope.moment(speaker.role), self.dropped
        bounds = scope.branch.bounds
        times = [(t.bounds.max_time - t.seconds, t.bounds.max_time) for t in tallies if t.bounds.max_time is not None]
        left, max_time = min(times, default=(None, None))
        return Ask(
            id=self._id,
            step=scope.path,
            speaker=speaker,
            label=stage.roles[speaker.role]["label"],
            casting=stage.castings[speaker.role],
            options=self._options(self._id),
            timeout=bounds.timeout,
            load_timeout=bounds.load_timeout if left is None else min(bounds.load_timeout, left),
            retries=bounds.retries.number,
            time_left=left,
            render=lambda: self._rendered(moment, start),
            format=self._schema,
            stops=self._stop_tokens(),
            turn=None if self.is_pick else moment.turn,
            attempt=self.attempt,
            is_pick=self.is_pick,
            first_token=bounds.first_token,
            gap=bounds.gap,
            reply_time=bounds.reply_time,
            max_time=max_time,
            branch=scope.branch.place,
            restart=bounds.retries.restart,
        )

    def settle(self) -> Generator[Any, Any, tuple[Exchange, tuple[Exchange, ...], Any]]:
        """Ask, and ask again where the reply will not do and may be fixed.

        Gives the exchange that settles it, those before it, and the data of a structured reply.
        """
        question, earlier, key = self, list[Exchange](), f"{self.scope.place} tries"
        while True:
            ask, failure = question.fitted()
            if failure is not None:
                exchange, data = Exchange(ask, Reply(failure=failure), failure), None
            else:
                reply = yield from self.scope.ask(ask)
                exchange, data = question.judge(ask, reply)
                exchange = question.noticed(exchange)
            again = question.again(exchange, earlier)
            if again is None:
                if earlier:
                    self.scope.branch.keep(key, None)
                return exchange, tuple(earlier), data
            earlier.append(exchange)
            question = again
            self.scope.branch.keep(key, (tuple(_kind(one) for one in earlier), question.repair))

    def fitted(self) -> tuple[Ask, Failure | None]:
        """Return the ask, after as much was dropped as must be and may be; and why it does not fit all the same."""
        branch = self.scope.branch
        may_drop = branch.bounds.on_overflow == "drop_oldest"
        while True:
            known = branch.asks.pop(self._id, None)
            ask = self.ask() if known is None or may_drop else known  # what was dropped is to be dropped here too
            earlier, densest = branch.measured.get(self.speaker), branch.densest.get(_model(ask), 0.0)
            try:
                if not (may_drop and is_crowded(ask, earlier, densest) and self._drop()):
                    return ask, too_large(ask, earlier, densest, may_drop=may_drop)
            except TemplateError:  # whoever reads the request will meet it again
                return ask, None

    def noticed(self, exchange: Exchange) -> Exchange:
        """Return the exchange with what is odd about the server's figures; remember those that are not."""
        ask, reply, branch = exchange.ask, exchange.reply, self.scope.branch
        if window_of(ask.options) is None or not reply.tokens.prompt:
            return exchange
        earlier, densest = branch.measured.get(self.speaker), branch.densest.get(_model(ask), 0.0)
        short = shortened(ask, reply, earlier, densest)
        if not short and not self.repair:
            branch.measure(self.speaker, _model(ask), Measured(ask.request.parts, reply.tokens.prompt))
        return replace(exchange, warnings=tuple(filter(None, (short, overflown(ask, reply)))))

    def judge(self, ask: Ask, reply: Reply) -> tuple[Exchange, Any]:
        """Return whether a reply will do, and return its data."""
        if reply.failure is not None:
            return Exchange(ask, reply, reply.failure), None
        empty = self._emptiness(reply)
        if empty:
            return Exchange(ask, reply, Failure("empty", empty, retry=not reply.cut)), None
        if ask.format is None:
            return Exchange(ask, reply), None
        data, wrong = structured.parse(reply.content, ask.format)
        if wrong and reply.cut:
            words = f"it was cut after {ask.options['num_predict']} tokens; raise max_tokens"
            wrong = words if reply.cut_by is None else reply.cut_by.message
        return Exchange(ask, reply, structured.malformed(wrong) if wrong else None), data

    def again(self, exchange: Exchange, earlier: list[Exchange]) -> AskBuilder | None:
        """Return the question to ask next, None where the exchange settles the turn."""
        failure, bounds = exchange.failure, self.scope.branch.bounds
        if failure is None:
            return None
        if any(tally.is_late for tally in self.scope.branch.tallies):
            return None  # no time is left in which it could be answered
        if failure.kind == "overflow" and bounds.on_overflow == "drop_oldest" and self._drop():
            return self._replace(attempt=self.attempt + 1)
        if failure.kind == "empty" and failure.retry and "empty" not in map(_kind, earlier):
            return self._replace(attempt=self.attempt + 1, is_reseeded=True)
        repairs = sum(_kind(one) == "malformed" for one in earlier)
        if failure.kind != "malformed" or exchange.reply.cut or repairs >= bounds.repairs:
            return None
        wrong, why = broken(exchange.reply.content), broken(structured.repair(failure))
        repair = (Part("assistant", wrong), Part("user", why))
        return self._replace(attempt=self.attempt + 1, repair=repair)

    def _stop_tokens(self) -> tuple[str, ...]:
        stops = (stop for _, stop in self.scope.setting.stops if applies(stop, self.speaker))
        return tuple(stop.token for stop in stops if stop.token and stop.match != "regex")

    def _options(self, id_: str) -> FrozenDict:
        casting, words, bounds = self.scope.stage.castings[self.speaker.role], self.words, self.scope.branch.bounds
        options = dict(casting.options)
        if words.temperature is not None:
            path = (*self.scope.path, "temperature")
            options["temperature"] = number(self.scope.render("temperature", words.temperature), path)
        tokens = casting.max_tokens if words.max_tokens is None else words.max_tokens
        options["num_predict"] = most_tokens(tokens, bounds.max_tokens)
        own = None if casting.seed is None else casting.seed + self.scope.branch.number
        if own is None or self.is_reseeded:
            own = _seed(self.scope.stage.seed if own is None else own, id_)
        options["seed"] = own
        return FrozenDict(options)

    def _rendered(self, moment: Snapshot, start: int) -> Request:
        try:
            return self._compose(moment, start)
        except TemplateError as error:
            raise error.within(self.scope.stage.pipeline.name, self.scope.path) from error

    def _compose(self, moment: Snapshot, start: int) -> Request:
        system, view = self.scope.stage.system(self.speaker.role, moment.lookup), self.view
        if self.scope.stage.castings[self.speaker.role].raw:  # the author's own text, to which nothing is added
            if not system.strip():
                raise TemplateError(f"{self.speaker.role} has nothing to continue from: its prompt renders no text")
            return Request((Part("user", system), *self.repair))
        opening = self.scope.setting.opening() if view.opening else ""
        entries = visible(moment.history, moment.end, view, self.speaker, start)
        request = compose(system, opening, entries, self.speaker)
        kept = sum(isinstance(entry, SpokenEntry) for entry in entries)
        before = visible(moment.history, moment.end, view, self.speaker) if start else entries
        dropped = sum(isinstance(entry, SpokenEntry) for entry in before) - kept
        return Request((*request.parts, *self.repair), kept, dropped)

    def _emptiness(self, reply: Reply) -> str:
        """Return why a whole reply is no reply; empty where it is one."""
        if self.scope.stage.without_label(self.speaker.role, reply.content).strip():
            return ""
        if reply.tool_calls:
            return "The model answered with a tool call alone, and no tools were offered to it."
        if reply.thinking.strip():
            return self._only_thought(reply)
        return "The model gave an empty reply." + (" It was cut by length; raise max_tokens." if reply.cut else "")

    def _only_thought(self, reply: Reply) -> str:
        """Report that all of a reply was thinking, and what can be done about it that is not so already."""
        if not reply.cut:
            unfit = "" if self._schema is None else ", and nothing in it that fits the format"
            return f"The model gave no reply: all that came was thinking{unfit}."
        casting = self.scope.stage.castings[self.speaker.role]
        less = {True: "false", "medium": "low", "high": "low", "max": "low"}.get(casting.think or False)
        remedy = f", or set think: {less}" if less and casting.backend != "openai" else ""
        return f"All tokens went into thinking; raise max_tokens{remedy}."

    def _drop(self) -> bool:
        """Drop the older half of the messages that the speaker still sees; false where there is no half left."""
        branch, start = self.scope.branch, self.dropped
        if self.scope.stage.castings[self.speaker.role].raw:  # its text is the author's: nothing in it is ours to drop
            return False
        entries = ranked(branch.history, len(branch.history), self.view, self.speaker, start)
        shown = [rank for rank, entry in entries if isinstance(entry, SpokenEntry)]
        if len(shown) < 2:
            return False
        branch.drop(self.speaker, shown[len(shown) // 2])
        return True


def _kind(exchange: Exchange) -> str | None:
    return None if exchange.failure is None else exchange.failure.kind


def odd(exchange: Exchange, earlier: tuple[Exchange, ...]) -> tuple[str, ...]:
    """Return what is odd about a turn's exchanges, each oddity once."""
    return tuple(dict.fromkeys(words for one in (*earlier, exchange) for words in one.warnings))


def _model(ask: Ask) -> str:
    return f"{ask.casting.host or ''} {ask.model}"


def applies(stop: Stop, speaker: Speaker) -> bool:
    """Return whether a stop listens to this speaker."""
    return stop.role is None or stop.role == speaker.role


@lru_cache(maxsize=4096)
def _seed(seed: int, id_: str) -> int:
    """The low 31 bits of a hash of the conversation's seed and the ask's id."""
    digest = hashlib.sha256(f"{seed}:{id_}".encode()).digest()
    return int.from_bytes(digest[-4:]) & 0x7FFFFFFF
