"""A stand-in that makes replies up: no model, no network, the same words for the same ask every time.

Its text says nothing, and is meant to: it shows the turns, the prompts and the endings of a pipeline. It keeps to
``max_tokens``, fits the ``format``, and on a speaker's third turn it says a stop token, where the pipeline has one
for it, so that a rehearsal shows how the conversation ends.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

from llm_gc.backends.interface import Asked, Delta, Facts, Notify, ignore
from llm_gc.backends.sampling import sample
from llm_gc.core.structured import parse
from llm_gc.protocol import Ask, Latency, ModelConfig, Reply, Tokens
from llm_gc.values.units import CHARACTERS_PER_TOKEN

NAME = "rehearsal"
"""The model's name in the transcript: nobody can take these replies for a model's."""

_OPENINGS = ("First", "Then", "After that", "Besides", "Finally")
_VERBS = ("check", "write down", "compare", "measure", "name", "sort", "test", "draw")
_THINGS = ("the inputs", "the edge cases", "one small example", "the open questions", "the order of the steps",
           "what can fail", "the result", "the names")  # fmt: skip
_WHY = ("so that nothing is lost", "before anything else is done", "and keep the answer", "in one place",
        "with a short note why", "until it is plain")  # fmt: skip

APPROVING_TURN = 3
TRIES = 100


class Rehearsal:
    """The backend that needs none."""

    async def preflight(self, castings: Sequence[ModelConfig], load_timeout: float, notify: Notify = ignore) -> Facts:
        """Everything is there."""
        return Facts(NAME)

    async def reply(self, ask: Ask, notify: Notify = ignore) -> Reply:
        """Make a reply up."""
        notify(Asked(NAME))
        messages = ask.request.messages
        spoken = sum(message["role"] == "assistant" for message in messages)
        words = make_up(ask, spoken + 1)
        limit = int(ask.options.get("num_predict", len(words)))
        cut = len(words) > limit
        words = words[:limit]
        for word in words:
            notify(Delta(word))
        prompt = sum(len(message["content"]) for message in messages) // CHARACTERS_PER_TOKEN
        return Reply(
            "".join(words),
            done_reason="length" if cut else "stop",
            tokens=Tokens(prompt, len(words)),
            latency=Latency(total=0.0),
            model=NAME,
        )

    async def aclose(self) -> None:
        """There is nothing to let go of."""


def make_up(ask: Ask, spoken: int) -> list[str]:
    """Return the words of a reply, each with the space before it; one word counts as one token."""
    chance = Random(int(ask.options["seed"]))  # it need not be unforeseeable, but the same each time
    if ask.format is not None:
        return _pieces(_fitting(ask.format, chance))
    text = _sentences(chance, ask.speaker.role, spoken)
    if ask.stops and spoken >= APPROVING_TURN:
        return [*_words(text), f"\n\n{chance.choice(ask.stops)}"]
    return _words(text)


def _sentences(chance: Random, role: str, turn: int) -> str:
    """Return a short text that says openly that nobody thought it."""
    count = chance.randint(2, 3)
    said = [
        f"{_OPENINGS[i]}, {chance.choice(_VERBS)} {chance.choice(_THINGS)} {chance.choice(_WHY)}." for i in range(count)
    ]
    return f"(Rehearsed words of {role}, turn {turn}.) " + " ".join(said)


def _fitting(schema: Any, chance: Random) -> str:
    """Return made-up JSON that fits, judged as a model's reply is; after many tries, what does not."""
    text = ""
    for number in range(TRIES):
        text = json.dumps(sample(schema, chance, daring=number > 1), ensure_ascii=False)
        if parse(text, schema)[1] is None:
            break
    return text


def _words(text: str) -> list[str]:
    first, *rest = text.split(" ")
    return [first, *(f" {word}" for word in rest)]


def _pieces(text: str) -> list[str]:
    size = CHARACTERS_PER_TOKEN
    return [text[i : i + size] for i in range(0, len(text), size)]
