"""Signs that models have lost the thread: replies that were cut, that repeat an earlier message, or that go in circles.

They are counted, and nothing else: whoever reads the last line of a run sees that its result deserves a look.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_gc.records import Transcript, TurnRecord

TIMES = 4
"""So often in a row a piece of a reply stands in a loop, at least."""

LONGEST = 64
"""Words of the longest piece that is looked for."""

SPAN = 20
"""Words that a loop has in all, at least: a short one may be a manner of speaking."""

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+|[^\w\s]")


def signs(transcript: Transcript) -> Iterator[str]:
    """Yield each sign with how many turns have it; nothing where none has it."""
    turns = [turn for turn in transcript.turns if turn.error is None and not turn.is_pick]
    spoken = [turn for turn in turns if turn.model != "human" and turn.request.format is None]
    cut, loops = sum(turn.cut for turn in turns), sum(has_loop(turn.content) for turn in spoken)
    repeated = sum(1 for _ in _repeating(spoken))
    if cut:
        yield f"{_counted(cut, 'reply', 'replies')} cut"
    if repeated:
        yield f"{_counted(repeated, 'reply', 'replies')} repeated an earlier one word for word"
    if loops:
        yield f"{_counted(loops, 'reply', 'replies')} went in circles"


def has_loop(text: str) -> bool:
    """Check whether some piece of a text stands there again and again, and nothing between."""
    words = _WORD.findall(text)
    return any(_is_loop(words, size) for size in range(1, min(LONGEST, len(words) // TIMES) + 1))


def _is_loop(words: list[str], size: int) -> bool:
    """Check whether a piece of so many words is repeated often enough somewhere; a rule of dashes is no piece."""
    needed, same = max(TIMES * size, SPAN) - size, 0
    for at, (one, other) in enumerate(zip(words, words[size:], strict=False)):
        same = same + 1 if one == other else 0
        if same >= needed and any(word.isalpha() for word in words[at - size + 1 : at + 1]):
            return True
    return False


def _repeating(turns: Iterable[TurnRecord]) -> Iterator[TurnRecord]:
    """Yield the turns that say what was said before, by whomever; copies that speak side by side do not hear it."""
    seen: dict[str, list[TurnRecord]] = {}
    for turn in turns:
        earlier = seen.setdefault(" ".join(turn.content.split()), [])
        if any(one.step != turn.step or one.copy == turn.copy for one in earlier):
            yield turn
        earlier.append(turn)


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
