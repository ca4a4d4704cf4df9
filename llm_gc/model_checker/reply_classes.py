"""The classes of replies that an ask may get: one reply of each, as long as it may be, for the worst case of sizes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random
from typing import Any

from llm_gc.backends.sampling import matching
from llm_gc.core import Files
from llm_gc.errors import TemplateError
from llm_gc.language.pipeline import Pipeline, Stop
from llm_gc.language.stop_tokens import says
from llm_gc.language.texts import models
from llm_gc.model_checker.conditions import Conditions
from llm_gc.model_checker.projection import mark, unmarked
from llm_gc.model_checker.reply_data import ReplyData, filled, long
from llm_gc.protocol import Ask, Cut, CutLimit, Failure, Path, Reply, Tokens
from llm_gc.values.units import CHARACTERS_PER_TOKEN

CUT_DATA = '{"cut'
"""A structured reply that is cut by length; it fails as one does that never came."""

NO_JSON = "This is no JSON."
"""A structured reply that does not fit; it is asked for once more."""

LONG = 100
"""Texts and data that are longer are told by their beginning or their length."""

NUMBERED = 256
"""So many numbered replies are kept: whoever goes breadth-first gives the same ones to all states of one depth."""

_FILLERS = ("word ", "talk ", "hmm ", "7 ", "- ")
_NUMBER = mark(0)
"""Stands in a prepared text for the mark that a reply gets when it is given."""


ANYBODYS = "\0anybody's last"
"""Stands for the line of whoever spoke last."""


@dataclass(frozen=True, eq=False)
class Way:
    """One class of replies: its name for people, the reply, and the line of a test file that says the same.

    The line is none where it is that of the speaker's last reply, ``ANYBODYS`` where it is the last one of all.
    """

    name: str
    reply: Reply
    line: Any

    @property
    def effect(self) -> tuple[Any, ...]:
        """All of it that the core can tell from another way: not, whether a text that is heard was cut.

        A reply that ``max_time`` cuts ends the conversation, also where nothing more is to come.
        """
        reply = self.reply
        failed = reply.failure is not None or (reply.cut and reply.content == CUT_DATA)
        is_last = not failed and reply.cut_by is not None and reply.cut_by.limit == "max_time"
        return (None if failed else reply.content, reply.tokens.total, reply.seconds, is_last)

    @property
    def succeeds(self) -> bool:
        """Whether it gives what was asked for."""
        return self.reply.failure is None and self.reply.content not in (CUT_DATA, NO_JSON)

    def numbered(self, number: int) -> Way:
        """Return it with a mark of its own in its texts, so that it can be told from what was said before."""
        if _NUMBER not in self.reply.content:
            return self
        reply = replace(self.reply, content=self.reply.content.replace(_NUMBER, mark(number)))
        return replace(self, reply=reply, line=_numbered(self.line, number))


@dataclass(frozen=True)
class Matters:
    """What makes further classes of replies matter: limits that count, and texts that are compared."""

    tokens: bool = False
    seconds: bool = False
    echoes: bool = False
    echoes_across: bool = False


class ReplyClasses:
    """Gives the classes of replies for asks; those of one step and one role are worked out once."""

    def __init__(
        self, pipeline: Pipeline, files: Files, conditions: Conditions, read: frozenset[str], matters: Matters
    ) -> None:
        """Take what a reply may meet; ``read`` are the words of all texts."""
        self._conditions, self._read, self._matters = conditions, read, matters
        self._stops = dict(_stops(pipeline, files, ()))
        self._known: dict[Any, tuple[Way, ...]] = {}
        self.numbered = lru_cache(maxsize=NUMBERED)(Way.numbered)
        self.not_made: list[Stop] = []

    def to(self, ask: Ask, previous: str | None, newest: str | None = None) -> tuple[Way, ...]:
        """Return the classes for an ask, of those with the same effect the first alone.

        ``previous`` is what the same speaker said last, ``newest`` what anybody did; None where there is nothing.
        """
        allowed = tuple(ask.format["properties"]["next"]["enum"]) if ask.is_pick else None
        key = (ask.step, ask.speaker.role, allowed, ask.deadline, ask.timeout)
        if key not in self._known:
            found: dict[Any, Way] = {}
            for way in self._make(ask):
                found.setdefault(way.effect, way)
            self._known[key] = tuple(found.values())
        ways = self._known[key]
        if ask.format is not None:
            return ways
        if self._matters.echoes and previous:
            ways = (*ways, Way("the same text again", self._said(previous, 0), None))
        if self._matters.echoes_across and newest and newest != previous:
            ways = (*ways, Way("the last text again, whoever said it", self._said(newest, 0), ANYBODYS))
        return ways

    def _make(self, ask: Ask) -> Iterator[Way]:
        yield from self._structured(ask) if ask.format is not None else self._texts(ask)
        if not ask.casting.human:
            silence = ask.timeout if ask.deadline is None else min(ask.timeout, ask.deadline)
            failure = Failure("timeout", f"nothing came within {silence:g} s")
            late = silence if self._matters.seconds else 0.0
            yield Way("an error or a timeout", Reply(failure=failure, seconds=late), {"error": "timeout"})
            yield self._cut(ask)
            yield self._cut_by_time(ask)

    def _cut(self, ask: Ask) -> Way:
        size = int(ask.options["num_predict"]) * CHARACTERS_PER_TOKEN
        if ask.format is not None:
            cut = replace(self._said(CUT_DATA, size // CHARACTERS_PER_TOKEN), done_reason="length")
            return Way("a structured reply cut by length", cut, {"text": CUT_DATA, "cut": True})
        plain = next(self._texts(ask))
        line = {"text": plain.line, "cut": True}
        return Way("a text cut by length", replace(plain.reply, done_reason="length"), line)

    def _cut_by_time(self, ask: Ask) -> Way:
        """Return the reply that a limit of time cuts: the one that leaves it the least, else that of silence."""
        limit: CutLimit = "timeout"
        if ask.deadline is not None:
            limit = "max_time" if ask.deadline == ask.time_left else "reply_time"
        seconds = (ask.deadline or 0.0) if self._matters.seconds else 0.0
        late, by_length = {"cut": limit} | ({"seconds": seconds} if seconds else {}), self._cut(ask)
        reply = replace(by_length.reply, done_reason=None, cut_by=Cut(limit, f"limits.{limit}"), seconds=seconds)
        name = f"a {'text' if ask.format is None else 'structured reply'} cut by {limit}"
        return Way(name, reply, {**by_length.line, **late})

    def _texts(self, ask: Ask) -> Iterator[Way]:
        stops, size = self._stops_of(ask), int(ask.options["num_predict"]) * CHARACTERS_PER_TOKEN
        plain = _filling(f"Words {_NUMBER} of {ask.speaker.role}.", size, stops)
        line = f"Words {_NUMBER + ' ' if self._matters.echoes else ''}of {ask.speaker.role}."
        tokens = size // CHARACTERS_PER_TOKEN
        yield Way("a plain text", self._said(plain, tokens), line)
        if self._matters.tokens:
            yield Way("a short text", self._said(f"Words {_NUMBER}.", 1), {"text": line, "tokens": 1})
        if self._matters.seconds and ask.deadline is not None:
            late = replace(self._said(plain, tokens), seconds=ask.deadline)
            yield Way("a plain text, late", late, {"text": line, "seconds": ask.deadline})
        for stop in stops:
            spoken = self._spoken(stop)
            if spoken is not None:
                yield self._with(stop, spoken, line, size)
        for text in self._met(stops, size):
            yield Way(f"the text {_quoted(text)}", self._said(text, tokens), text)

    def _with(self, stop: Stop, spoken: str, line: str, size: int) -> Way:
        """Return a text that says a stop: after other words, else (a regular expression may look there) before them."""
        words, tokens = _filling(f"Words {_NUMBER}.", size - len(spoken) - 1, ()), size // CHARACTERS_PER_TOKEN
        tries = [(f"{words}\n{spoken}", f"{line}\n{spoken}"), (f"{spoken}\n{words}", f"{spoken}\n{line}")]
        text, line = next((one for one in tries if _says(stop, one[0]) and _says(stop, one[1])), (spoken, spoken))
        return Way(f"a text with {stop.token}", self._said(text, tokens), line)

    def _met(self, stops: Sequence[Stop], size: int) -> list[str]:
        """Return the texts that a condition looks for, but those that are stop tokens anyway."""
        texts = [*self._conditions.texts(), *(matching(pattern, Random(0)) for pattern in self._conditions.patterns)]
        texts += [long(length) for length in self._conditions.lengths() if length <= size]
        return [text for text in dict.fromkeys(texts) if text.strip() and text not in {stop.token for stop in stops}]

    def _structured(self, ask: Ask) -> Iterator[Way]:
        size = int(ask.options["num_predict"]) * CHARACTERS_PER_TOKEN
        tokens = size // CHARACTERS_PER_TOKEN
        made = ReplyData(ask.format, self._conditions, self._read).all()
        for data in made:
            content, short = _sized(data, ask.speaker.role, size), filled(data, "Some words.")
            line = filled(data, f"Some words {_NUMBER}.") if self._matters.echoes else short
            yield Way(_shown(short, made), self._said(content, tokens), {"data": line})
        for stop in self._stops_of(ask):
            yield from self._stopping(ask, made, stop, tokens)
        yield Way("a reply that is no JSON", self._said(NO_JSON, tokens), {"text": NO_JSON})

    def _stopping(self, ask: Ask, made: Sequence[Any], stop: Stop, tokens: int) -> Iterator[Way]:
        """Yield data with a stop token in one of its texts, where that is how the token is looked for."""
        spoken = self._spoken(stop) if stop.match != "line" else None
        if spoken is None or not made:
            return
        data = filled(made[0], spoken)
        content = json.dumps(data, ensure_ascii=False)
        if says(stop, content):
            yield Way(f"data with {stop.token}", self._said(content, tokens), {"data": data})

    def _stops_of(self, ask: Ask) -> list[Stop]:
        """Return the stops with a token that listen to an ask: those of the scene that it is in."""
        scene = max((path for path in self._stops if ask.step[: len(path)] == path), key=len)
        return [stop for stop in self._stops[scene] if stop.token and stop.role in (None, ask.speaker.role)]

    def _said(self, content: str, tokens: int) -> Reply:
        return Reply(content, done_reason="stop", tokens=Tokens(0, tokens if self._matters.tokens else 0))

    def _spoken(self, stop: Stop) -> str | None:
        """Return a text that says a stop's token; None where none could be made up, which is kept in ``not_made``."""
        token = stop.token or ""
        tries = [token] if stop.match != "regex" else [matching(token, Random(n), n) for n in range(4)]
        found = next((text for text in tries if text and _says(stop, text)), None)
        if found is None and stop not in self.not_made:
            self.not_made.append(stop)
        return found


def _stops(pipeline: Pipeline, files: Files, path: Path) -> Iterator[tuple[Path, list[Stop]]]:
    """Yield the stops of each scene by the path of its steps; a scene that plays a file has those of both."""
    yield path, list(pipeline.stop)
    for at, model in models(pipeline.turns, (*path, "turns")):
        steps = getattr(model, "scene", None)
        if steps is None:
            continue
        mine: list[Stop] = list(getattr(model, "stop", None) or ())
        if not isinstance(steps, str):
            yield (*at, "scene"), mine
        elif steps in files.scenes:
            for inner, stops in _stops(*files.scenes[steps], (*at, "scene")):
                yield inner, [*stops, *mine] if inner == (*at, "scene") else stops


def _numbered(line: Any, number: int) -> Any:
    """Return a line of a test file with a number in the place of each mark."""
    if isinstance(line, str):
        return unmarked(line.replace(_NUMBER, str(number)))
    if isinstance(line, dict):
        return {key: _numbered(value, number) for key, value in line.items()}
    return [_numbered(item, number) for item in line] if isinstance(line, list) else line


def _says(stop: Stop, text: str) -> bool:
    try:
        return says(stop, text)
    except TemplateError:  # no regular expression: the checker says so
        return False


def _filling(start: str, size: int, stops: Sequence[Stop]) -> str:
    """Return a text of a size that begins so, and that says no stop token by accident, where that can be helped."""
    text = start
    for filler in _FILLERS:
        text = f"{start} {filler * (max(size - len(start), 0) // len(filler))}"[: max(size, len(start))].rstrip()
        if not any(_says(stop, text) for stop in stops):
            break
    return text


def _sized(data: Any, role: str, size: int) -> str:
    """Return data as JSON, its first free text so long that all of it has the size."""
    short = f"Words {_NUMBER} of {role}."
    bare = json.dumps(filled(data, short), ensure_ascii=False)
    places = bare.count(short)
    if not places:
        return bare
    room = max(size - len(bare), 0) // places
    return json.dumps(filled(data, _filling(short, len(short) + room, ())), ensure_ascii=False)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if len(text) <= LONG else f"of {len(text)} characters"


def _shown(data: Any, made: Sequence[Any]) -> str:
    """Return data in a line for people; the plain case is called so where there are others."""
    text = json.dumps(data, ensure_ascii=False)
    return text if len(text) <= LONG or len(made) < 2 else f"{text[: LONG - 1]}…"
