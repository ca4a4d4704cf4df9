"""Pipelines written in a test, loaded and planned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llm_gc import project
from llm_gc.planning.plan import Plan, plan
from llm_gc.planning.plan_text import supplied

HEAD = """
name: test
roles:
  anna: {label: Anna, model: "a:1b", prompt: You plan., max_tokens: 400}
  ben: {label: Ben, model: "b:1b", prompt: You judge., max_tokens: 100, num_ctx: 1024}
opening: Begin.
"""


def planned(folder: Path, text: str, *, is_seeded: bool = True, head: str = HEAD, **inputs: str) -> Plan:
    """Plan a pipeline: the roles Anna and Ben, and what ``text`` adds."""
    file = folder / "test.yaml"
    file.write_text(head + text, encoding="utf-8")
    loaded = project.load(str(file))
    values, _ = supplied(loaded.pipeline, inputs)
    return plan(loaded, {name: one.value for name, one in values.items()}, is_seeded=is_seeded)


def labels(plan: Plan) -> list[str]:
    """Who speaks, in order."""
    return [turn.label for turn in plan.turns]


def assumed(plan: Plan) -> list[str]:
    """All that is assumed, in order, without the places."""
    told: list[Any] = [one for turn in plan.turns for one in turn.assumptions]
    return [one.text for one in (*told, *plan.assumptions)]


def text_of(plan: Plan, number: int) -> str:
    """All that the turn of this number is sent."""
    turn = next(turn for turn in plan.turns if turn.number == number and not turn.is_pick)
    return "\n".join(message["content"] for message in turn.messages)
