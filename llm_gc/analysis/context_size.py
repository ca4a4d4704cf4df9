"""How many tokens each role has been sent so far, estimated from templates and limits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from llm_gc.analysis.pipeline_facts import PipelineFacts
from llm_gc.language.fields import View
from llm_gc.templates import Use
from llm_gc.values.frozen import as_text
from llm_gc.values.units import as_tokens


@dataclass(slots=True)
class SpeakerTokens:
    """What one speaker has said and was told.

    ``heard`` are the tokens that the others hear, ``own`` those that it reads of its own, ``most`` those of its longest
    message, ``told`` those of its instructions; ``copies`` is how many of it speak at once. ``at`` is when it was last
    heard, ``own_at`` when it last spoke.
    """

    heard: int = 0
    own: int = 0
    most: int = 0
    told: int = 0
    most_told: int = 0
    copies: int = 1
    at: int = 0
    own_at: int = 0

    def copy(self) -> SpeakerTokens:
        """Return the same again."""
        numbers = (self.heard, self.own, self.most, self.told, self.most_told, self.copies, self.at, self.own_at)
        return SpeakerTokens(*numbers)  # a long conversation is copied often, and `replace` takes ten times as long


@dataclass(slots=True)
class ContextEstimate:
    """A scene: its opening, a pile for each speaker, and who was heard last (nobody in particular where ``""``).

    ``now`` counts the messages, so that what is newer has the greater number. ``held`` are the tokens that a template
    makes of each name.
    """

    opening: int = 0
    piles: dict[str, SpeakerTokens] = field(default_factory=dict)
    turns: int = 0
    now: int = 0
    heard: int = 0
    held: dict[str, int] = field(default_factory=dict)
    newest: str | None = None
    newest_size: int = 0
    newest_at: int = 0
    before_at: int = 0

    def copy(self) -> ContextEstimate:
        """Return the same again, to continue from in another way."""
        piles = {name: pile.copy() for name, pile in self.piles.items()}
        newest = (self.newest, self.newest_size, self.newest_at, self.before_at)
        return ContextEstimate(self.opening, piles, self.turns, self.now, self.heard, dict(self.held), *newest)

    def pile(self, name: str) -> SpeakerTokens:
        """Return a speaker's pile."""
        return self.piles.setdefault(name, SpeakerTokens())

    def instruct(self, name: str, size: int) -> None:
        """Add tokens to what one speaker has been sent."""
        if size:
            pile = self.pile(name)
            pile.told += size
            pile.most_told = max(pile.most_told, size)

    def say(self, name: str, size: int, *, is_heard: bool = True) -> None:
        """Add a message."""
        pile = self.pile(name)
        self.now += 1
        self.newest_size = size
        pile.own += size
        pile.own_at = self.now
        pile.most = max(pile.most, size)
        if is_heard:
            pile.heard += size
            pile.at = self.now
            self.heard += size
            self._hear(name)

    def _hear(self, name: str) -> None:
        if name != self.newest:
            self.newest, self.before_at = name, self.newest_at
        self.newest_at = self.now

    def join(self, base: ContextEstimate, way: ContextEstimate, copies: int, speaking: Counter[str]) -> None:
        """Add what was said on a way that began at ``base``, by so many copies of everybody on it.

        ``speaking`` counts how many of each role speak in the block; each reads only its own branch as its own.
        """
        self.now = max(self.now, way.now)
        self.turns += (way.turns - base.turns) * copies
        for name, pile in way.piles.items():
            mine, before = self.pile(name), base.piles.get(name, SpeakerTokens())
            more = (pile.heard - before.heard) * copies
            mine.heard += more
            self.heard += more
            mine.own, mine.told = max(mine.own, pile.own), max(mine.told, pile.told)
            mine.most, mine.most_told = max(mine.most, pile.most), max(mine.most_told, pile.most_told)
            if pile.own_at > before.own_at:
                speaking[name] += copies
                mine.copies = max(mine.copies, speaking[name])
                mine.own_at = pile.own_at
            if pile.at > before.at:
                mine.at = pile.at
                self._hear(name)

    def meet(self, other: ContextEstimate) -> None:
        """Go on as the longer of this and another way; what is new on either is new."""
        mine, theirs = self.copy(), other
        if other.heard > self.heard:
            self.become(other)
            theirs = mine
        for name, pile in theirs.piles.items():
            here = self.pile(name)
            here.at, here.own_at = max(here.at, pile.at), max(here.own_at, pile.own_at)
        self.now, self.turns = max(self.now, theirs.now), max(self.turns, theirs.turns)
        if theirs.newest != self.newest:
            self.newest, self.newest_at = "", max(self.newest_at, theirs.newest_at)

    def become(self, other: ContextEstimate) -> None:
        """Go on as from another way."""
        for one in fields(self):
            setattr(self, one.name, getattr(other, one.name))

    # --- What a speaker sees of it

    def seen(self, name: str, view: View) -> int:
        """Return the tokens of what a speaker is sent of it, its own instructions included."""
        mine = self.piles.get(name, SpeakerTokens())
        told = mine.told if view.last is None else min(mine.told, view.last * mine.most_told)
        if view.from_ == "all" and view.last is None:
            return told + self.heard - mine.heard + max(mine.heard, mine.own)
        return told + sum(self._shown(self.piles[one], view, is_own=one == name) for one in self._from(name, view))

    def _shown(self, pile: SpeakerTokens, view: View, *, is_own: bool) -> int:
        whole = max(pile.heard, pile.own) if is_own else pile.heard
        return whole if view.last is None else min(whole, view.last * pile.most * pile.copies)

    def _from(self, name: str, view: View) -> Iterator[str]:
        match view.from_:
            case "all":
                yield from self.piles
            case "none":
                return
            case "own":
                yield from [name] if name in self.piles else []
            case "others":
                yield from (one for one in self.piles if one != name)
            case listed:
                yield from (one for one in listed if one in self.piles)

    def others_at(self, name: str, view: View) -> int:
        """Return when a speaker last heard somebody else, 0 for never."""
        if view.from_ in ("all", "others"):
            return self.before_at if self.newest == name else self.newest_at
        return max((self.piles[one].at for one in self._from(name, view) if one != name), default=0)

    def own_at(self, name: str, view: View) -> int:
        """Return when a speaker last spoke, as far as it sees that; 0 for never."""
        sees_own = view.from_ in ("all", "own") or name in view.from_
        return self.piles[name].own_at if sees_own and name in self.piles else 0


MOST = 10**9
"""Nothing is longer than that."""

_TAGS = re.compile(r"\{\{.*?(?:\}\}|\Z)|\{%.*?(?:%\}|\Z)|\{#.*?(?:#\}|\Z)", re.DOTALL)


class Sizes:
    """The sizes of a pipeline's templates, each read once."""

    def __init__(self, subject: PipelineFacts) -> None:
        """Take a pipeline."""
        self._subject = subject
        self._own: dict[str, int] = {}
        self._named: dict[tuple[str, bool], tuple[tuple[str, str], ...]] = {}

    def of(self, text: str | None, told: ContextEstimate | None = None) -> int:
        """Estimate the tokens of a template: 0 only where it is surely empty. ``told`` tells how long messages are."""
        if not text:
            return 0
        if text not in self._own:
            self._own[text] = self._of_its_own(text)
        return self._own[text] + (self.named(text, told) if told is not None else 0)

    def named(self, text: Any, told: ContextEstimate, *, is_expression: bool = False) -> int:
        """Estimate the tokens of the messages that a template or an expression names as a whole."""
        if not isinstance(text, str):
            return 0
        key = (text, is_expression)
        if key not in self._named:
            compiled = self._subject.compiled(*key)
            self._named[key] = tuple(dict.fromkeys(_whole_messages(compiled.uses))) if compiled else ()
        named = self._named[key]
        return min(sum(_held(told, *one) for one in named), MOST) if named else 0

    def _of_its_own(self, text: str) -> int:
        compiled = self._subject.compiled(text)
        try:
            whole = as_text(self._subject.worked_out(text))
            least = 1 if compiled is None or compiled.names else 0
        except ValueError:
            whole, least = _TAGS.sub("", self._subject.source(text)), 1
        return max(as_tokens(len(whole)), least)


def _whole_messages(uses: tuple[Use, ...]) -> Iterator[tuple[str, str]]:
    """Yield the names whose messages come out as they are, and not only their data; with the role of a `said`."""
    for use in uses:
        name, *rest = [word.word for word in use.words]
        role = rest.pop(0) if name == "said" and rest else ""
        if use.whole and (not rest or rest[-1] in ("content", "heard", "")):
            yield name, role


def _held(told: ContextEstimate, name: str, role: str) -> int:
    if name == "last":
        return told.newest_size
    if name == "said":
        return told.piles[role].most if role in told.piles else 0
    return told.held.get(name, 0)
