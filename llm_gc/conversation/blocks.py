"""Branches side by side: forked, moved on independently, and folded in declared order."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from llm_gc.conversation.turn import Ending
from llm_gc.errors import TemplateError
from llm_gc.protocol import Flow, Message, Runnable, Step, Together

if TYPE_CHECKING:
    from llm_gc.conversation.scope import StepScope

MAX_BRANCHES = 10_000
"""A block with more of them is a slip."""


def together(
    scope: StepScope, key: str, steps: Sequence[Runnable], items: Sequence[Any] | None, name: str | None
) -> Generator[Step, Any, list[Message]]:
    """Run each step, once for each item where there are any, as branches; give the last message of each.

    The first ending among them, in declared order, goes on outwards when all are done.
    """
    branch = scope.branch
    count = len(steps) * (1 if items is None else len(items))
    if count > MAX_BRANCHES:
        raise TemplateError(f"there can be at most {MAX_BRANCHES:,} branches", path=scope.path)
    over, branch.over = branch.over, {}
    inner: list[StepScope] = []
    for number, item in enumerate([None] if items is None else items):
        mark = "" if items is None else f":{number + 1}"
        for index in range(len(steps)):
            if len(inner) in over:
                fork, _ = over[len(inner)]
            else:
                fork = branch.fork(len(inner), count, (number, index))
                if name is not None:
                    fork.name(name, item)
            inner.append(scope.at(key, index, mark, branch=fork))
            fork.place = inner[-1].place
    branch.inner = tuple(one.branch for one in inner)
    flows = tuple(
        _over(over[number][1]) if number in over else one.step(steps[number % len(steps)])
        for number, one in enumerate(inner)
    )
    endings: tuple[Ending | None, ...] = yield Together(flows)
    branch.inner = ()
    said = branch.join([one.branch for one in inner], scope.stage.relabelled)
    first = next((ending for ending in endings if ending is not None), None)
    if first is not None:
        raise first
    return said


def _over(ending: Ending | None) -> Flow:
    """Come to the end of a branch that was over before."""
    if ending is not None:
        raise Ending(*ending.why)  # an exception holds on to where it was raised
    yield from ()
