"""Which lists a text reads without looking at their order, such as the votes that a ``majority`` counts.

A list that only such readers look at counts in a state by what is in it, and not by who said which: five equal copies
that vote yes or no make six states, and not thirty-two. What is read of a list is a chain as all that is read
(``condition_vars.Read``): the list's name, in which manner the order matters, and what is read of each item.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from jinja2 import nodes

from llm_gc.protocol import Message
from llm_gc.templates.filters import Vote, votes

BAG = "<bag>"
"""The order does not matter at all: ``length``, ``median``, ``in``."""

FIRSTS = "<firsts>"
"""Of items that differ it matters which one came first, and of equal ones how many there are: ``max``."""

TIES = "<ties>"
"""A majority: it matters how many each value has, and which of those that may be tied came first.

One word follows that says what it is a majority of (``tallied``).
"""

SUM = "<sum>"
"""As ``BAG``, but fractions are added up in their order, which may matter to their last digit."""

MANNERS = frozenset({BAG, FIRSTS, TIES, SUM})

PLAIN = "<plain>"
"""What a filter takes of an item: of a message its content, None where it failed."""

TRUTH = "<truth>"
"""Whether an item is true."""

SIZE = "<size>"
"""Nothing of an item: it is only counted."""

LEAVES = frozenset({PLAIN, TRUTH, SIZE})

Words = tuple[str, ...]

_READERS: Mapping[str, tuple[str, str]] = {
    "count": (BAG, SIZE),
    "length": (BAG, SIZE),
    "majority": (TIES, PLAIN),
    "max": (FIRSTS, ""),
    "mean": (BAG, PLAIN),
    "median": (BAG, PLAIN),
    "min": (FIRSTS, ""),
    "stdev": (BAG, PLAIN),
    "sum": (SUM, ""),
}
"""The filters that make one value of a list: how its order matters to them, and what they read of an item."""


class _Pipe(NamedTuple):
    """A list that comes out of filters: its name, where the values are in its items, and what else was read of those.

    ``made`` tells that the values were worked out of the items. ``steps`` are the filters as a majority's word says
    them; None where there is one that cannot be said so.
    """

    name: str
    path: Words = ()
    read: frozenset[Words] = frozenset()
    made: bool = False
    steps: Words | None = ()


def order_free(tree: nodes.Template, *, is_truth: bool = False, manner: str = "") -> dict[str, set[Words]]:
    """Return the names of the lists of which a text never reads the order, with what it reads of each.

    ``is_truth`` tells that the text is an expression of which only the truth counts, ``manner`` in which manner the
    list is read later that the expression gives.
    """
    if any(tree.find(kind) for kind in (nodes.Extends, nodes.FromImport, nodes.Import, nodes.Include)):
        return {}  # what is taken in may read the same names
    found = _ListReads({}, set())
    root = _sole(tree) if is_truth or manner else None
    if root is not None:
        _root(root, found, is_truth=is_truth, manner=manner)
    else:
        _walk(tree, found)
    return {name: chains for name, chains in found.free.items() if name not in found.ordered}


class _ListReads(NamedTuple):
    """What was found: lists whose order does not matter somewhere, and names of which the order matters elsewhere."""

    free: dict[str, set[Words]]
    ordered: set[str]


def _sole(tree: nodes.Template) -> nodes.Expr | None:
    """Return the expression that a text is; None where it is more than that."""
    match tree.body:
        case [nodes.Output(nodes=[nodes.Expr() as expression])]:
            return expression
    return None


def _root(node: nodes.Expr, found: _ListReads, *, is_truth: bool, manner: str) -> None:
    if is_truth:
        _truth(node, found)
    elif not _taken(node, manner, "", found):
        _walk(node, found)


def _truth(node: nodes.Node, found: _ListReads) -> None:
    """Look at an expression of which only the truth counts: of a list, whether there is an item."""
    match node:
        case nodes.And() | nodes.Or():
            _truth(node.left, found)
            _truth(node.right, found)
        case nodes.Not():
            _truth(node.node, found)
        case nodes.Filter() if node.name not in _READERS:
            if not _taken(node, BAG, SIZE, found):
                _walk(node, found)
        case _:
            _walk(node, found)


def _walk(node: nodes.Node, found: _ListReads) -> None:
    """Look at a node and all that is in it; a name that no reader takes is read in its order."""
    match node:
        case nodes.Name():
            found.ordered.add(node.name)
        case nodes.Filter() if _read(node, found):
            return
        case nodes.Compare(ops=[nodes.Operand(op="in" | "notin", expr=listed)]) if _taken(listed, BAG, "", found):
            _walk(node.expr, found)
        case nodes.If() | nodes.CondExpr():
            _truth(node.test, found)
            for child in node.iter_child_nodes(exclude=("test",)):
                _walk(child, found)
        case nodes.Not():
            _truth(node.node, found)
        case _:
            for child in node.iter_child_nodes():
                _walk(child, found)


def _read(node: nodes.Filter, found: _ListReads) -> bool:
    """Look at a filter that makes one value of a list; return whether it is one that does not mind the order."""
    if node.name not in _READERS or node.node is None or node.dyn_args or node.dyn_kwargs:
        return False
    manner, leaf = _READERS[node.name]
    given = _attribute(node, with_first=node.name in ("majority", "sum"))
    rest = [*node.args[1 if given and node.args else 0 :], *(one for one in node.kwargs if one.key != "attribute")]
    if rest or (given is None and (node.args or node.kwargs)):
        return False
    if given is not None and node.name in ("max", "min"):
        return False  # it gives the item itself, the first of several
    return _taken(node.node, manner, leaf, found, attribute=given)


def _attribute(node: nodes.Filter, *, with_first: bool = True) -> str | None:
    """Return the fixed text that names what a filter looks at in an item."""
    given = [argument.value for argument in node.kwargs if argument.key == "attribute"]
    given += node.args[:1] if with_first else []
    match given:
        case [nodes.Const(value=str(text))] if all(word.isidentifier() for word in text.split(".")):
            return text
    return None


def _taken(node: nodes.Expr, manner: str, leaf: str, found: _ListReads, *, attribute: str | None = None) -> bool:
    """Take a list that is read in a manner; return False where it cannot be told what is read of it."""
    pipe = _pipe(node, found)
    if pipe is None or (pipe.made and manner == SUM):
        return False
    path = pipe.path
    if attribute is not None and not pipe.made:  # of what was worked out, all was read
        path = (*path, *attribute.split("."))
    if manner == TIES and pipe.steps is not None:
        by = () if attribute is None else (f"by:{attribute}",)
        found.free.setdefault(pipe.name, set()).add((TIES, " ".join((*pipe.steps, *by))))
        return True
    manner = FIRSTS if manner == TIES else manner
    chains = {(manner, *read) for read in pipe.read}
    if not pipe.made:  # else all was read of which it was made
        chains.add((manner, *path, leaf) if leaf else (manner, *path))
    found.free.setdefault(pipe.name, set()).update(chains)
    return True


def _pipe(node: nodes.Expr, found: _ListReads) -> _Pipe | None:
    """Return the list that an expression gives, where it is a name with filters of which the order does not matter."""
    if isinstance(node, nodes.Name):
        return _Pipe(node.name) if node.ctx == "load" else None
    if not isinstance(node, nodes.Filter) or node.node is None or node.dyn_args or node.dyn_kwargs:
        return None
    pipe = _pipe(node.node, found)
    piped = None if pipe is None else _filtered(node, pipe)
    if piped is not None:
        for argument in (*node.args, *(one.value for one in node.kwargs)):
            _walk(argument, found)
    return piped


def _filtered(node: nodes.Filter, pipe: _Pipe) -> _Pipe | None:
    """Return a list after one more filter; None where the filter may look at the order, or is not known."""
    here, named = pipe.path, _attribute(node)
    match node.name:
        case "list":
            return pipe
        case "map":
            return _mapped(node, pipe)
        case "extract":
            return pipe._replace(read=pipe.read | {(*here, PLAIN)}, made=True, steps=None)
        case "select" if not node.args:
            steps = None if pipe.steps is None else (*pipe.steps, "select")
            return pipe._replace(read=pipe.read | {(*here, TRUTH)}, steps=steps)
        case "select" | "reject":
            return pipe._replace(read=pipe.read | {(*here, *(() if node.args else (TRUTH,)))}, steps=None)
        case "selectattr" | "rejectattr" if named is not None:
            words = () if pipe.made else tuple(named.split("."))
            leaf = () if len(node.args) > 1 else (TRUTH,)
            return pipe._replace(read=pipe.read | {(*here, *words, *leaf)}, steps=None)
    return None


def _mapped(node: nodes.Filter, pipe: _Pipe) -> _Pipe | None:
    """Return a list of which each item was replaced by one of its attributes, or by what a filter makes of it."""
    if not any(argument.key == "attribute" for argument in node.kwargs):
        return pipe._replace(read=pipe.read | {pipe.path}, made=True, steps=None) if node.args else None
    named = _attribute(node, with_first=False)
    if named is None or node.args:
        return None
    steps = (*pipe.steps, f"map:{named}") if pipe.steps is not None and len(node.kwargs) == 1 else None
    if pipe.made:
        return pipe._replace(steps=steps)
    path = (*pipe.path, *named.split("."))
    return pipe._replace(path=path, read=pipe.read | {path}, steps=steps)


def tallied(items: Iterable[Any], word: str) -> dict[Any, Vote]:
    """Return the votes that a majority counts, as the word of ``TIES`` says how, in the order of their first ones."""
    by: str | None = None
    for step in word.split():
        kind, _, path = step.partition(":")
        if kind == "select":
            items = [item for item in items if item]
        elif kind == "map":
            items = [_at(item, path) for item in items]
        else:
            by = path
    return votes(items, by)


def _at(item: Any, path: str) -> Any:
    """Return what is at a path in an item, as ``map`` gives it to a majority; a word where ``map`` would fail."""
    *words, last = path.split(".")
    for word in (*words, last):
        if isinstance(item, Message):
            item = getattr(item, word, f"no {path}")
        elif isinstance(item, Mapping) and (word in item or word == last):
            item = item.get(word)
        elif item is not None:
            return f"no {path}"
    return item
