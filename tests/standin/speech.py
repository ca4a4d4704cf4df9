"""speech: a model's tokens to what the server lets out of them, under the limits of a request.

Theory of operation: `speak` is a generator without I/O. It takes the tokens a model would sample and
yields one event for each, in which text may be missing (held back, because it may be the beginning of
a stop string) or may have gathered. What it returns says how the reply ended.
"""

import re
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_WORD = re.compile(r"\s*\S+|\s+$")

REPETITIONS = 31


class Token(NamedTuple):
    """A piece of a reply, thought or said."""

    text: str
    thought: bool = False


@dataclass(frozen=True)
class Limits:
    """What ends a reply early; None is no limit. `guard` ends one that repeats itself."""

    tokens: int | None = None
    stop: tuple[str, ...] = ()
    guard: bool = False


class Ending(NamedTuple):
    """How a reply ended (None: aborted without a word) and how many tokens were sampled."""

    reason: str | None
    sampled: int


def words(text: str | Sequence[str]) -> Sequence[str]:
    """Text word by word, blanks in front; pieces that are given stay as they are."""
    return _WORD.findall(text) if isinstance(text, str) else text


def speak(tokens: Iterable[Token], limits: Limits) -> Generator[Token, None, Ending]:
    """Send tokens until they are over, or a limit is reached."""
    holder, guard, sampled, thought = _Holder(limits.stop), _Guard(limits.guard), 0, False
    for token in tokens:
        sampled += 1
        if token.thought != thought:
            if held := holder.rest():
                yield Token(held, thought)
            thought = token.thought
        out = holder.take(token.text)
        if holder.stopped:
            if out:
                yield Token(out, thought)
            return Ending("stop", sampled)
        if guard.tired_of(out):
            return Ending(None, sampled)
        yield Token(out, thought)
        if sampled == limits.tokens:
            return Ending("length", sampled)
    if held := holder.rest():
        yield Token(held, thought)
    return Ending("stop", sampled + 1)


class _Holder:
    """Holds text back for as long as it may be the beginning of a stop string."""

    def __init__(self, stop: tuple[str, ...]) -> None:
        self.stop = stop
        self.held = ""
        self.stopped = False

    def take(self, text: str) -> str:
        """What can be let out now."""
        if not self.stop:
            return text
        text = self.held + text
        found = [place for stop in self.stop if (place := text.find(stop)) >= 0]
        self.stopped = bool(found)
        end = min(found) if found else len(text) - max(_overlap(text, stop) for stop in self.stop)
        self.held = text[end:]
        return text[:end]

    def rest(self) -> str:
        """What is still held, when no stop string can come any more."""
        held, self.held = self.held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """How much of the text's end is the beginning of a stop string."""
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)


class _Guard:
    """Notices a model that says the same thing again and again."""

    def __init__(self, watching: bool) -> None:
        self.watching = watching
        self.last: str | None = None
        self.times = 0

    def tired_of(self, text: str) -> bool:
        """Whether this was said too often in a row."""
        text = text.strip()
        self.times = self.times + 1 if text == self.last else 1
        self.last = text
        return self.watching and self.times > REPETITIONS
