"""How much everybody in a scene has been told so far, in tokens, and how new the newest of it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from llm_gc.steps.fields import View


@dataclass(slots=True)
class Pile:
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

    def copy(self) -> Pile:
        """Give the same again."""
        numbers = (self.heard, self.own, self.most, self.told, self.most_told, self.copies, self.at, self.own_at)
        return Pile(*numbers)  # a long conversation is copied often, and `replace` takes ten times as long


@dataclass(slots=True)
class Told:
    """A scene: its opening, a pile for each speaker, and who was heard last (nobody in particular where ``""``).

    ``now`` counts the messages, so that what is newer has the greater number. ``held`` are the tokens that a template
    makes of each name.
    """

    opening: int = 0
    piles: dict[str, Pile] = field(default_factory=dict)
    turns: int = 0
    now: int = 0
    heard: int = 0
    held: dict[str, int] = field(default_factory=dict)
    newest: str | None = None
    newest_size: int = 0
    newest_at: int = 0
    before_at: int = 0

    def copy(self) -> Told:
        """Give the same again, to go on from in another way."""
        piles = {name: pile.copy() for name, pile in self.piles.items()}
        newest = (self.newest, self.newest_size, self.newest_at, self.before_at)
        return Told(self.opening, piles, self.turns, self.now, self.heard, dict(self.held), *newest)

    def pile(self, name: str) -> Pile:
        """Give a speaker's pile."""
        return self.piles.setdefault(name, Pile())

    def instruct(self, name: str, size: int) -> None:
        """Tell one speaker something."""
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

    def join(self, base: Told, way: Told, copies: int, speaking: Counter[str]) -> None:
        """Add what was said on a way that began at ``base``, by so many copies of everybody on it.

        ``speaking`` counts how many of each role speak in the block; each reads only its own branch as its own.
        """
        self.now = max(self.now, way.now)
        self.turns += (way.turns - base.turns) * copies
        for name, pile in way.piles.items():
            mine, before = self.pile(name), base.piles.get(name, Pile())
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

    def meet(self, other: Told) -> None:
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

    def become(self, other: Told) -> None:
        """Go on as from another way."""
        for one in fields(self):
            setattr(self, one.name, getattr(other, one.name))

    # --- What a speaker sees of it

    def seen(self, name: str, view: View) -> int:
        """Give the tokens of what a speaker is sent of it, its own instructions included."""
        mine = self.piles.get(name, Pile())
        told = mine.told if view.last is None else min(mine.told, view.last * mine.most_told)
        if view.from_ == "all" and view.last is None:
            return told + self.heard - mine.heard + max(mine.heard, mine.own)
        return told + sum(self._shown(self.piles[one], view, is_own=one == name) for one in self._from(name, view))

    def _shown(self, pile: Pile, view: View, *, is_own: bool) -> int:
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
        """Give when a speaker last heard somebody else, 0 for never."""
        if view.from_ in ("all", "others"):
            return self.before_at if self.newest == name else self.newest_at
        return max((self.piles[one].at for one in self._from(name, view) if one != name), default=0)

    def own_at(self, name: str, view: View) -> int:
        """Give when a speaker last spoke, as far as it sees that; 0 for never."""
        sees_own = view.from_ in ("all", "own") or name in view.from_
        return self.piles[name].own_at if sees_own and name in self.piles else 0
