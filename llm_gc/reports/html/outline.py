"""Where turns are in a conversation: rounds, branches side by side and scenes, read from the turns' ids.

An id is the way through the document, a step for a step: ``turns.1.repeat:2.0.parallel:3.1`` is the second branch of
the third item of a block in round 2. What ``.by`` follows is a choice, what ``#`` follows a number of an attempt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from llm_gc.transcript.records import TurnRecord


class OutlinePlace(NamedTuple):
    """One step of the way: the key that it is under, which round or item it is, and which one under the key."""

    key: str
    number: int | None
    which: int


@dataclass(frozen=True)
class Round:
    """A round begins; ``numbers`` has its number last, after those of the rounds around it."""

    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Beside:
    """Branches side by side, in declared order."""

    branches: tuple[tuple[Block, ...], ...]


@dataclass(frozen=True)
class Inside:
    """A conversation of its own inside this one; ``step`` is its place in the document."""

    step: str
    blocks: tuple[Block, ...]


Block = TurnRecord | Round | Beside | Inside

_Placed = tuple[tuple[OutlinePlace, ...], TurnRecord]


def outline(turns: Sequence[TurnRecord]) -> tuple[Block, ...]:
    """Return the turns as they are in the conversation.

    They may be in declared order, as in a transcript, or in order of arrival, as in a journal.
    """
    return tuple(_blocks([(way(turn.id), turn) for turn in turns], 0))


def way(id_: str) -> tuple[OutlinePlace, ...]:
    """Read an id; one that is none is a way without a step."""
    words = id_.partition("#")[0].removesuffix(".by").split(".")
    try:
        pairs = [(word.partition(":"), int(which)) for word, which in zip(words[::2], words[1::2], strict=True)]
        return tuple(OutlinePlace(key, int(number) if number else None, which) for (key, _, number), which in pairs)
    except ValueError:
        return ()


def _blocks(placed: Sequence[_Placed], depth: int) -> Iterator[Block]:
    """Yield what is at a depth: turns as they are, those of a block or a scene as one."""
    rounds: tuple[int, ...] = ()
    at = 0
    while at < len(placed):
        places, turn = placed[at]
        inner = next((i for i in range(depth, len(places)) if places[i].key in ("parallel", "scene")), None)
        numbers = tuple(p.number for p in places[depth:inner] if p.key == "repeat" and p.number is not None)
        if numbers and numbers != rounds:
            yield Round(numbers)
        rounds = numbers
        if inner is None:
            yield turn
            at += 1
            continue
        end = at
        while end < len(placed) and _is_in(placed[end][0], places, inner):
            end += 1
        yield _inner(placed[at:end], inner)
        at = end


def _is_in(places: tuple[OutlinePlace, ...], of: tuple[OutlinePlace, ...], inner: int) -> bool:
    return len(places) > inner and places[:inner] == of[:inner] and places[inner].key == of[inner].key


def _inner(placed: Sequence[_Placed], depth: int) -> Block:
    places, first = placed[0]
    if places[depth].key == "scene":
        step = first.step.split(".")
        return Inside(".".join(step[: 2 * depth + 1]), tuple(_blocks(placed, depth + 1)))
    branches: dict[OutlinePlace, list[_Placed]] = {}
    for one in placed:
        branches.setdefault(one[0][depth], []).append(one)
    ordered = sorted(branches, key=lambda place: (place.number or 0, place.which))
    return Beside(tuple(tuple(_blocks(branches[place], depth + 1)) for place in ordered))
