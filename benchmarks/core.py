"""What the core itself costs a turn, without any I/O, and how it grows."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Mapping, Sequence
from time import process_time
from typing import Any

from llm_gc.cli.exits import GC_THRESHOLD
from llm_gc.core import Conversation
from llm_gc.language.pipeline import Pipeline
from llm_gc.protocol import Reply, Tokens

REPLY = Reply("A plan in a few plain words, as long as a small model's. " * 4, tokens=Tokens(100, 50), seconds=1.0)
TURNS = 20
"""How many turns are measured at each length of the history."""


def print_core() -> None:
    """Print the cost of a turn at three lengths of the history, and of long and wide conversations at n and 2n."""
    gc.set_threshold(GC_THRESHOLD)  # as the command line does
    print("\nthe core alone, CPU\n")
    for history in (10, 100, 1000):
        print(f"{f'a turn after {history} messages':40}{_turn(history) * 1e6:10.0f} µs")
    for name, run, n in (("turns of a loop, sees last 10", _loop, 2500), ("branches side by side", _branches, 1000)):
        once, twice = run(n), run(2 * n)
        print(f"{f'{n} and {2 * n} {name}':40}{once:9.2f} s{twice:9.2f} s   ratio {twice / once:.2f}")


def _turn(history: int) -> float:
    """Return the seconds of one turn, its request rendered, as the median over a few conversations."""

    def one() -> float:
        conversation = _talk([{"repeat": ["anna", "ben"]}], {"max_turns": history + TURNS + 1})
        for _ in range(history):
            _ = conversation.pending[0].request
            conversation.answer(conversation.pending[0], REPLY)
        began = process_time()
        for _ in range(TURNS):
            ask = conversation.pending[0]
            _ = ask.request.messages
            conversation.answer(ask, REPLY)
        return (process_time() - began) / TURNS

    return statistics.median(one() for _ in range(9))


def _loop(turns: int) -> float:
    roles = {name: {"model": "m", "sees": {"last": 10}} for name in ("anna", "ben")}
    return _timed(lambda: _talk([{"repeat": ["anna", "ben"]}], {"max_turns": turns}, roles))


def _branches(count: int) -> float:
    return _timed(lambda: _talk([{"parallel": ["anna"], "times": count}, "ben"], {"max_turns": count + 1}))


def _timed(make: Callable[[], Conversation]) -> float:
    began = process_time()
    conversation = make()
    asks = list(conversation.pending)
    while asks:
        ask = asks.pop()
        _ = ask.request.messages
        asks.extend(conversation.answer(ask, REPLY))
    return process_time() - began


def _talk(turns: Sequence[Any], limits: Mapping[str, Any], roles: Mapping[str, Any] | None = None) -> Conversation:
    cast = roles or {"anna": {"model": "m", "prompt": "You are {{ role.label }}."}, "ben": {"model": "m"}}
    document = {"name": "core", "roles": cast, "turns": turns, "limits": limits, "opening": "Begin."}
    return Conversation(Pipeline.model_validate(document), {})


if __name__ == "__main__":
    print_core()
