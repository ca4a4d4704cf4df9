"""The Python code that Jinja makes of a template, with the sandbox put in where Jinja's own would go past it.

Two things cost time and make nothing, so that no filter counts them: to compare values, and to run a block of the
template once more. Both are charged to the quota of the rendering (``meter``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame

from llm_gc.templates.meter import NODE

_BODIES = ("body", "else_", "elif_")
"""Where a statement keeps other statements: each of these lists is charged when it runs."""


class ChargingGenerator(CodeGenerator):
    """Makes code that charges every block it runs and every comparison."""

    def blockvisit(self, nodes: Iterable[nodes.Node], frame: Frame) -> None:
        """Begin each block with what running it costs."""
        statements = list(nodes)
        self.writeline(f"environment.spend({2 + NODE * sum(1 for _ in _parts(statements))})")
        super().blockvisit(statements, frame)

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:  # noqa: N802  # Jinja calls it by the node's name
        """Let the sandbox compare; in a chain, where the last may never be looked at, it weighs what is compared."""
        if len(node.ops) == 1:
            self._call("compare", node.expr, frame)
            self.write(f", {node.ops[0].op!r}, ")
            self.visit(node.ops[0].expr, frame)
            self.write(")")
            return
        self.write("(")
        self._call("weighed", node.expr, frame)
        self.write(")")
        for operand in node.ops:
            self.write(f" {_SIGNS[operand.op]} ")
            self._call("weighed", operand.expr, frame)
            self.write(")")
        self.write(")")

    def _call(self, name: str, first: nodes.Expr, frame: Frame) -> None:
        self.write(f"environment.{name}(")
        self.visit(first, frame)


_SIGNS = {"eq": "==", "ne": "!=", "gt": ">", "gteq": ">=", "lt": "<", "lteq": "<=", "in": "in", "notin": "not in"}


def _parts(statements: Iterable[nodes.Node]) -> Iterator[nodes.Node]:
    """Return the nodes of some statements, without those of the blocks inside."""
    waiting = list(statements)
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.iter_child_nodes(exclude=_BODIES)
