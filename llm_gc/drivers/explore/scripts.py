"""From a way that was found to a case of a test file: what each role replies, and what is to be expected."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from llm_gc.conversation import Conversation
from llm_gc.drivers.explore.projection import unmarked
from llm_gc.drivers.explore.search import Search
from llm_gc.drivers.explore.walks import Drawn, Node
from llm_gc.protocol import Ask

MOST_REPLIES = 60
"""A case with more replies is nothing to read any more."""

MOST_SEEDS = 200_000
"""So many seeds are looked at for one that draws as wanted."""


@dataclass(frozen=True)
class Said:
    """One reply on a way: who was asked, and the class of the reply in words."""

    who: str
    reply: str


def told(node: Node) -> list[Said]:
    """Give the replies on the way to a state, in order."""
    path = node.path()
    return [Said(_who(one), unmarked(two.way.name)) for one, two in zip(path, path[1:], strict=False) if two.way]


def _who(node: Node) -> str:
    copy = f"#{node.speaker.copy + 1}" if node.speaker.copy else ""
    return f"{node.speaker.role}{copy}{' (choosing)' if node.is_pick else ''}"


class Scripts:
    """Makes cases of the ways that a search has found, each of which has been played before it is given."""

    def __init__(self, search: Search, inputs: Mapping[str, Any]) -> None:
        """Take the search, and the inputs that have no default."""
        self._search, self._inputs = search, inputs

    def case(self, name: str, node: Node) -> dict[str, Any] | None:
        """Give a case that goes the way to a state, and on to an end in the plainest way.

        None where a test file cannot say it: with too many replies, draws that no seed makes, or where the end hangs
        on how long the replies are.
        """
        played = list(self._play(node))
        asks, lines, conversation = [one[0] for one in played], [one[1] for one in played], self._search.last
        outcome = conversation.outcome
        seed = _seed([drawn for one in node.path() for drawn in one.drawn])
        if outcome is None or len(lines) > MOST_REPLIES or seed is None or None in lines:
            return None
        speakers = [turn.exchange.ask.speaker.role for turn in conversation.turns if not turn.is_pick]
        case: dict[str, Any] = {"name": name}
        if seed >= 0:
            case["set"] = {"seed": seed}
        case["replies"] = _replies(asks, lines)
        case["expect"] = {"speakers": speakers, "ended": outcome.reason}
        return case

    def _play(self, node: Node) -> Iterator[tuple[Ask, Any]]:
        """Play a way to its end, with each reply as a test file says it."""


def _replies(asks: list[Ask], lines: list[Any]) -> dict[str, Any]:
    """Give each speaker's lines in order; copies of a role have their own where there are several."""
    copied = {ask.speaker.role for ask in asks if ask.speaker.copy}
    found: dict[str, list[Any]] = defaultdict(list)
    for ask, line in zip(asks, lines, strict=True):
        copy = f"#{ask.speaker.copy + 1}" if ask.speaker.role in copied else ""
        found[f"{ask.speaker.role}{copy}"].append(line)
    return dict(found)


def _seed(drawn: list[Drawn]) -> int | None:
    """Give a seed that draws these numbers; -1 where nothing was drawn, none where none was found."""
    if not drawn:
        return -1
    for seed in range(MOST_SEEDS):
        if all(_draw(seed, one) == one.number for one in drawn):
            return seed
    return None


def _draw(seed: int, one: Drawn) -> int:
    return int.from_bytes(sha256(f"{seed}:{one.place} draw".encode()).digest()) % one.count
