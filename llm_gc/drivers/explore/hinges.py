"""What a text hangs on, as it is written: the words of its conditions, and whether it weighs what a message says."""

from __future__ import annotations

from collections.abc import Container, Iterator
from functools import lru_cache

from jinja2 import TemplateSyntaxError, nodes

from llm_gc.templates.parsing import reader
from llm_gc.texts import TextKind


def parsed(source: str, kind: TextKind) -> nodes.Template | None:
    """Read a text; none where it cannot be read, which whoever renders it says."""
    try:
        return reader().parse(f"{{{{ {source} }}}}" if kind == "expression" else source)
    except TemplateSyntaxError:
        return None


@lru_cache(maxsize=1024)
def hinges(source: str, kind: TextKind) -> frozenset[str]:
    """Give the words on which it hangs which way a text takes: in its conditions and comparisons, and for its items."""
    tree = parsed(source, kind)
    if tree is None:
        return frozenset()
    found: list[nodes.Node] = [one.test for one in tree.find_all((nodes.If, nodes.CondExpr))]  # type: ignore[attr-defined]  # both have a test
    found += [*tree.find_all((nodes.Compare, nodes.Test))]
    found += [one.arg for one in tree.find_all(nodes.Getitem) if not isinstance(one.arg, (nodes.Const, nodes.Slice))]
    return frozenset(word for one in found for word in _words(one))


def weighs(tree: nodes.Template, kept: Container[str]) -> bool:
    """Tell whether a text compares or computes with what a message says as a whole; ``kept`` names some of them.

    Whether there is one at all may be asked without that.
    """
    inside = tree.find_all((nodes.Filter, nodes.Compare, nodes.Operand, nodes.Test))
    asked = (one for one in inside if not isinstance(one, nodes.Test) or one.args)
    return any(_is_message(child, kept) for one in asked for child in one.iter_child_nodes())


def _is_message(node: nodes.Node, kept: Container[str]) -> bool:
    if isinstance(node, nodes.Getattr):
        return isinstance(node.node, nodes.Name) and node.node.name == "said"
    return isinstance(node, nodes.Name) and (node.name == "last" or node.name in kept)


def _words(node: nodes.Node) -> Iterator[str]:
    for one in [node, *node.find_all((nodes.Name, nodes.Getattr, nodes.Const))]:
        if isinstance(one, nodes.Name):
            yield one.name
        elif isinstance(one, nodes.Getattr):
            yield one.attr
        elif isinstance(one, nodes.Const) and isinstance(one.value, str):
            yield from one.value.split(".")
