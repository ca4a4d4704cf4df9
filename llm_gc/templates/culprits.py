"""Which parts of a template fail that needs no names: each is worked out by itself, down to the smallest that fails.

Jinja tells the line of what failed at best. Whoever is to mend it wants the word, and all of them in one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from jinja2 import nodes

from llm_gc.errors import TemplateError
from llm_gc.templates.spots import Spot, column
from llm_gc.templates.uses import moved

MOST, DEEPEST = 200, 20
"""So many parts are looked at, and so far into each of them: somebody waits."""

Failure = Callable[[nodes.Expr], str]
"""Works an expression out by itself; gives how it fails, empty where it does not."""


def culprits(tree: nodes.Template, error: TemplateError, failure: Failure) -> Iterator[TemplateError]:
    """Give every failure that rendering a template comes by for sure, else the first that says what ``error`` says.

    Where the parts do not show it, as in a loop over names of its own, that is the error itself.
    """
    failing = ((part, said) for part in islice(_parts(tree), MOST) if (said := failure(part)))
    sure, told, alike = set(map(id, _sure(tree))), 0, None
    for part, said in failing:
        if id(part) in sure:
            told += 1
            yield _at(part, said, error.file, failure)
        elif said == error.message:
            alike = alike or part
    if not told:
        yield _at(alike, error.message, error.file, failure) if alike else error


def _sure(tree: nodes.Template) -> Iterator[nodes.Node]:
    """Give what a template always comes by, and needs the value of."""
    for node in tree.body:
        match node:
            case nodes.Output():
                yield from node.nodes
            case nodes.If():
                yield node.test
            case nodes.For():
                yield node.iter


def _parts(tree: nodes.Template) -> Iterator[nodes.Expr]:
    """Give the expressions that stand in a template, without those inside them."""
    waiting: list[nodes.Node] = [tree]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, nodes.Expr):
            waiting += reversed(list(node.iter_child_nodes()))
        elif not isinstance(node, (nodes.Const, nodes.Name, nodes.TemplateData)):
            yield node


def _at(part: nodes.Expr, said: str, file: str, failure: Failure) -> TemplateError:
    """Give a failure at the innermost expression that fails as all of it does."""
    for _ in range(DEEPEST):
        inner = (one for one in part.iter_child_nodes() if isinstance(one, nodes.Expr))
        smaller = next((one for one in inner if failure(one) == said), None)
        if smaller is None:
            break
        part = smaller
    spot = _spot(part)
    return TemplateError(said, file, int(spot), column=column(spot))


def _spot(node: nodes.Expr) -> int:
    """Give the spot of the word that fails: of a filter its name, of an attribute the attribute, else the first one."""
    match node:
        case nodes.Filter():
            return node.lineno
        case nodes.Getattr():
            return moved(node.lineno, 1)
    spots = [one.lineno for one in (node, *node.find_all(nodes.Node)) if isinstance(one.lineno, Spot)]
    return min(spots, key=lambda spot: (int(spot), spot.column), default=node.lineno)
