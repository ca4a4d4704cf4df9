"""What stands in for the replies that nobody has given yet: marks that say whose words they are, and how long at most.

A structured reply is made up from its schema, with marks in the place of its free texts. A prompt's size counts each
mark, and each reply that is repeated in it, with all the tokens that it may have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from random import Random
from typing import Any

from llm_gc.backends.made_up import sample
from llm_gc.conversation.context import likely
from llm_gc.conversation.structured import parse
from llm_gc.protocol import Ask, Part, Reply

_MARK = re.compile(r"⟨[^⟨⟩]*: up to ([0-9,]+) tokens⟩")
_LABEL = re.compile(r"\A(?:[^⟨:]*: )?")
_TRIES = 20


def placeholder(ask: Ask, number: int, chance: str) -> Reply:
    """Give what stands in for the reply to ``ask``, the plan's turn of this ``number``; structures by ``chance``."""
    if ask.format is None:
        return Reply(_mark(ask, number), done_reason="stop")
    tries = (sample(ask.format, Random(f"{chance}{ask.id}{n}"), daring=n > 1) for n in range(_TRIES))
    made = next((data for data in tries if _fits(data, ask.format)), None)
    return Reply(_dumped(_marked(made, made, (), ask, number)), done_reason="stop")


def tokens(parts: tuple[Part, ...], caps: Mapping[str | None, int]) -> int:
    """Estimate the tokens of a request at most; ``caps`` are those of the replies that it repeats, by the ask's id."""
    known, told = 0, list[Part]()
    for part in parts:
        if part.of in caps:
            known += caps[part.of]
            told.append(part._replace(text=_LABEL.match(part.text)[0] if part.kind == "user" else ""))  # type: ignore[index]
        else:
            known += sum(int(found.replace(",", "")) for found in _MARK.findall(part.text))
            told.append(part._replace(text=_MARK.sub("", part.text)))
    return known + likely(tuple(told), None)


def _mark(ask: Ask, number: int, name: str = "") -> str:
    whose = f"{ask.label}, turn {number}{f', {name}' if name else ''}"
    if ask.casting.human:
        return f"⟨{whose}: what a person says⟩"
    return f"⟨{whose}: up to {ask.options['num_predict']:,} tokens⟩"


def _marked(whole: Any, value: Any, path: tuple[Any, ...], ask: Ask, number: int) -> Any:
    """Put a mark in the place of each text in data where its schema takes any text."""
    if isinstance(value, str):
        mark = _mark(ask, number, ".".join(str(step) for step in path if isinstance(step, str)))
        return mark if _fits(_with(whole, path, mark), ask.format) else value
    if isinstance(value, dict):
        return {key: _marked(whole, inner, (*path, key), ask, number) for key, inner in value.items()}
    if isinstance(value, list):
        return [_marked(whole, inner, (*path, index), ask, number) for index, inner in enumerate(value)]
    return value


def _with(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Give data with another value at a path."""
    if not path:
        return value
    copy = data.copy()
    copy[path[0]] = _with(data[path[0]], path[1:], value)
    return copy


def _fits(data: Any, schema: Any) -> bool:
    return parse(_dumped(data), schema)[1] is None


def _dumped(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False)
