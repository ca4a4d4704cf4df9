"""taken-name: a name that something else has already, or that llm-gc or Jinja gives to templates itself.

Bad:   inputs: {last: …}       say: anna, as: anna       a loop's name inside a loop of the same name
Good:  inputs: {newest: …}     say: anna, as: draft
"""

from collections.abc import Iterator

from llm_gc.analysis.declared_names import INSIDE, JINJA, NAMES, SEEN, WORDS, DeclaredName
from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext

_KINDS = {"input": "an input", "role": "a role", "variable": "a variable", "loop": "a loop's name"}

HINT = "Call it something else."


def check(subject: RuleContext) -> Iterator[Problem]:
    first: dict[str, DeclaredName] = {}
    loops: list[DeclaredName] = []
    for one in subject.given:
        if owner := _owner(one):
            yield Problem(one.path, f"{one.name!r} is {owner} already", HINT, key=one.key)
            continue
        other = first.setdefault(one.name, one)
        if other.kind != one.kind:
            yield Problem(one.path, f"{one.name!r} is the name of {_KINDS[other.kind]} already", HINT, key=one.key)
        elif one.kind == "loop" and any(_is_inside(one, loop) for loop in loops):
            yield Problem(one.path, f"{one.name!r} is the name of the loop around this one", HINT)
        if one.kind == "loop":
            loops.append(one)


def _owner(one: DeclaredName) -> str:
    """Return who has a name before the pipeline gives it."""
    if one.name in WORDS or one.name in JINJA or one.name in INSIDE:
        return "a word of Jinja's"
    if one.name in NAMES:
        return "a name that llm-gc gives to templates"
    if one.kind == "role" and one.name in SEEN:
        return "a word that is used in place of a role's name"
    return ""


def _is_inside(one: DeclaredName, loop: DeclaredName) -> bool:
    around = loop.path[:-1]
    return one.name == loop.name and one.path[: len(around)] == around and one.path[:-1] != around
