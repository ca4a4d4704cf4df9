"""Figures in words: seconds, tokens, the line under a turn, and signs that a conversation degenerated."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm_gc.core import Turn
    from llm_gc.protocol import Reply
    from llm_gc.transcript.records import Transcript, TurnRecord


TIMES = 4
"""So often in a row a piece of a reply is in a loop, at least."""

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
    """Check whether some piece of a text is there again and again, and nothing between."""
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


_BRANCH = re.compile(r"parallel(?::(?P<item>[0-9]+))?\.(?P<step>[0-9]+)$")


def seconds(value: float | None) -> str:
    """Return a time: ``0.3 s``, ``12.4 s``, ``3 m 05 s``."""
    if value is None:
        return "?"
    if value < 120:
        return f"{value:.1f} s"
    return f"{int(value // 60)} m {int(value % 60):02d} s"


def line(turn: Turn) -> str:
    """Return what is said under a turn: time, tokens, tokens per second, and what else is worth a word.

    Nothing of that is known of a person.
    """
    if turn.exchange.ask.casting.human:
        return ""
    reply = turn.exchange.reply
    dropped = turn.exchange.ask.request.dropped if turn.exchange.failure is None else 0
    return _line(reply, len(reply.attempts) + len(turn.attempts), dropped)


def line_of(record: TurnRecord) -> str:
    """Return what is said under a recorded turn, as ``line`` does."""
    if record.model == "human":
        return ""
    dropped = record.context.dropped if record.context is not None and record.error is None else 0
    return _line(record, len(record.attempts) - (record.error is not None), dropped)


def _line(reply: Reply | TurnRecord, tries: int, dropped: int) -> str:
    """Return the figures of a reply before which so many tries failed, and so many messages were dropped."""
    latency, tokens = reply.latency, reply.tokens
    words = [seconds(latency.total if latency.total is not None else reply.seconds)]
    if latency.first_token is not None:
        words.append(f"first token after {seconds(latency.first_token)}")
    if latency.load is not None and latency.load >= 1:
        words.append(f"loading {seconds(latency.load)}")
    if latency.wait is not None and latency.wait >= 1:
        words.append(f"waiting for a slot {seconds(latency.wait)}")
    words.append(f"prompt {_count(tokens.prompt)} and reply {_count(tokens.completion)} tokens")
    if tokens.completion and latency.generation:
        words.append(f"{tokens.completion / latency.generation:.1f} tokens/s")
    if reply.cut:
        words.append(f"cut by {reply.cut_by.limit if reply.cut_by is not None else 'length'}")
    if dropped:
        words.append(f"{dropped} older message{'' if dropped == 1 else 's'} dropped")
    if tries:
        words.append(f"attempt {tries + 1}")
    return " · ".join(words)


def place(number: int | None, branch: str = "") -> str:
    """Return where a turn is: its number, or of one that has none yet the branch of the block that it is in."""
    if number is not None:
        return f"turn {number}"
    found = _BRANCH.search(branch)
    return f"branch {found['item'] or int(found['step']) + 1}" if found else ""


def summary(transcript: Transcript) -> tuple[str, str]:
    """Return how a conversation ended, and what it cost with who failed in every turn, a line each."""
    totals, ended = transcript.totals, transcript.ended_by
    turns = f"{totals.turns} turn{'' if totals.turns == 1 else 's'}"
    failed = f" ({totals.failed} failed)" if totals.failed else ""
    tokens = f"prompts {totals.tokens.prompt or 0} and replies {totals.tokens.completion or 0} tokens"
    why = "" if transcript.status == ended.reason else f" ({ended.reason})"
    head = f"{transcript.status}{why}: {ended.detail}"
    reloads = f" · {totals.reloads} reload{'' if totals.reloads == 1 else 's'}" if totals.reloads else ""
    odd = "".join(f" · {sign}" for sign in signs(transcript))
    return head, f"{turns}{failed} · {seconds(totals.seconds)} · {tokens}{reloads}{_always_failed(transcript)}{odd}"


def _always_failed(transcript: Transcript) -> str:
    """Return the roles of which each turn failed, where others succeeded."""
    turns = [turn for turn in transcript.turns if not turn.is_pick]
    succeeded = {turn.role for turn in turns if turn.error is None}
    counts = Counter(turn.role for turn in turns if succeeded and turn.role not in succeeded)
    return "".join(
        f" · the only turn of {role} failed" if count == 1 else f" · all {count} turns of {role} failed"
        for role, count in counts.items()
    )


def result(transcript: Transcript) -> str:
    """Return what came of a conversation, by its place where it is above; empty where it is nothing."""
    turn = source(transcript)
    if turn is not None:
        return f"what {turn.label} said{f' in turn {turn.turn}' if turn.turn else ''}, above"
    return "" if transcript.result is None else text(transcript.result)


def spread(said: str) -> list[str]:
    """Return the lines of a text of several; all but the first are set in, so that none can pass for one of ours."""
    first, *rest = said.strip("\n").split("\n")
    return [first, *(f"    {line}" for line in rest)]


def text(value: Any) -> str:
    """Return a value: a text as it is, anything else as JSON."""
    from llm_gc.transcript.encode import dumps

    return value if isinstance(value, str) else dumps(value)


def source(transcript: Transcript) -> TurnRecord | None:
    """Return the newest turn whose words are the result; None where it is something else."""
    turns = (turn for turn in reversed(transcript.turns) if turn.content and not turn.is_pick)
    return next((turn for turn in turns if turn.content == transcript.result), None)


def _count(value: int | None) -> str:
    return "?" if value is None else str(value)
