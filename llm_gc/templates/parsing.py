"""The text of a template or an expression to its tree, once in a process: the names that it uses, and its code.

Templates repeat, in one pipeline and from one to the next, and reading one costs more than all else that a check does
with it. What a template takes in from other files is not looked at here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, cached_property, lru_cache
from types import CodeType

from jinja2 import nodes
from jinja2.parser import Parser

from llm_gc.errors import TemplateError
from llm_gc.templates.lexer import column
from llm_gc.templates.name_finder import Use, moved, uses
from llm_gc.templates.sandbox import Sandbox
from llm_gc.values.did_you_mean import near

KEPT = 2048
"""So many templates are kept, those that were read last."""

FEW = 60
"""So many nodes are never nested too deeply for Python."""

_PLAIN = (
    nodes.Add, nodes.And, nodes.Call, nodes.Compare, nodes.CondExpr, nodes.Filter, nodes.Getattr, nodes.Getitem,
    nodes.If, nodes.List, nodes.Not, nodes.Operand, nodes.Or, nodes.Output, nodes.Sub, nodes.TemplateData, nodes.Test,
    nodes.Tuple,
)  # fmt: skip
"""The nodes of which Jinja always makes code that Python takes."""


class Parsed:
    """A template or an expression that was read; ``sole`` is its only expression, where it is nothing else."""

    def __init__(self, tree: nodes.Template, where: str, sole: nodes.Expr | None) -> None:
        """Take the tree; ``where`` is the name of the file that it was read from, or empty."""
        self.tree, self.where, self.sole = tree, where, sole
        self.uses: tuple[Use, ...] = tuple(uses(tree, where))
        self.takes_in = any(tree.find(kind) for kind in (nodes.Extends, nodes.FromImport, nodes.Import, nodes.Include))

    @cached_property
    def code(self) -> CodeType:
        """What Python runs: it renders the template, or, where there is only an expression, sets ``result`` to it."""
        tree, file = self.tree, self.where or None
        if self.sole is not None:  # whoever has it knows its line
            file = None
            body: list[nodes.Node] = [nodes.Assign(nodes.Name("result", "store", lineno=1), self.sole, lineno=1)]
            tree = nodes.Template(body, lineno=1)
            tree.set_environment(reader())
        return reader().compile(tree, file, file)


@cache
def reader() -> Sandbox:
    """Return the sandbox in which templates are read; none is rendered in it."""
    return Sandbox({})


@lru_cache(KEPT)
def parse(text: str, where: str = "", *, is_expression: bool = False) -> Parsed:
    """Read a template or an expression; ``where`` is the name of the file that the text is in.

    Raises:
        TemplateError, and whatever Jinja and Python raise: for a text that is none.

    """
    parsed = _expression(text) if is_expression else _template(text, where)
    _check_words(parsed.tree, where)
    if not parsed.takes_in and not _is_plain(parsed.tree):
        _ = parsed.code  # Python refuses some of what Jinja makes of a template
    return parsed


def parsed(text: str, where: str = "", *, is_expression: bool = False) -> nodes.Template | None:
    """Return the tree of a template or an expression; None where it cannot be read."""
    try:
        return parse(text, where, is_expression=is_expression).tree
    except Exception:  # noqa: BLE001  # whoever compiles it says what is wrong with it
        return None


def _template(text: str, where: str) -> Parsed:
    tree = reader().parse(text, where or None)
    return Parsed(tree, where, _whole(tree, text))


def _expression(text: str) -> Parsed:
    _refuse_braces(text)
    parser = Parser(reader(), text, state="variable")
    if parser.stream.eos:
        raise TemplateError("it is empty", line=1)
    only = parser.parse_expression()
    if not parser.stream.eos:
        token = parser.stream.current
        fix = "; write == to compare" if token.type == "assign" else ""
        message = f"{str(token.value)!r} cannot follow here{fix}"
        raise TemplateError(message, line=token.lineno, column=column(token.lineno))
    output = nodes.Output([only], lineno=only.lineno)
    tree = reader().prepared(nodes.Template([output], lineno=1))
    return Parsed(tree, "", output.nodes[0])


def _is_plain(tree: nodes.Template) -> bool:
    """Return whether a template is so small and simple that its code need not be made to know that it can be."""
    waiting: list[nodes.Node] = list(tree.body)
    for _ in range(FEW):
        if not waiting:
            return True
        node = waiting.pop()
        match node:
            case nodes.Const(value=value):
                simple = value is None or isinstance(value, (str, bool)) or abs(value) < 10**18
            case nodes.Name(name=name):
                simple = name.isascii()
            case nodes.Filter() | nodes.Test() | nodes.Call():
                simple = not node.kwargs and node.dyn_args is None and node.dyn_kwargs is None
            case _:
                simple = isinstance(node, _PLAIN)
        if not simple:
            return False
        waiting += node.iter_child_nodes()
    return False


def _check_words(tree: nodes.Template, file: str) -> None:
    """Refuse filters and tests that are not there, all at once, also where Jinja would look only when it gets there."""
    missing = []
    known = {"filter": reader().filters, "test": reader().tests}
    for kind, name, line in _words(tree):
        if name not in known[kind]:
            hint = near(name, (word for word in known[kind] if word.isidentifier()))
            message = f"there is no {kind} {name!r}. {hint}".rstrip(" .")
            missing.append(TemplateError(message, file, line, column=column(line)))
    if missing:
        missing[0].others = tuple(missing[1:])
        raise missing[0]


_HANDED = {"map": ("filter", 0), "reject": ("test", 0), "rejectattr": ("test", 1), "select": ("test", 0),
           "selectattr": ("test", 1)}  # fmt: skip
"""The filters that are handed the name of a filter or a test, and as which of their arguments."""


def _words(tree: nodes.Template) -> Iterator[tuple[str, str, int]]:
    """Yield the names of filters and tests that a template uses: which of both it is, the name, and its line."""
    for node in tree.find_all((nodes.Filter, nodes.Test)):
        kind = "filter" if isinstance(node, nodes.Filter) else "test"
        yield kind, str(node.name), node.lineno
        handed, index = _HANDED.get(str(node.name), ("", 0)) if kind == "filter" else ("", 0)
        for name in node.args[index : index + 1] if handed else ():
            if isinstance(name, nodes.Const) and isinstance(name.value, str):
                yield handed, name.value, moved(name.lineno, 1)


def comments(text: str) -> Iterator[tuple[int, int]]:
    """Return the comments of a template that can be read: the offsets at which each begins and ends."""
    if "{#" not in text:
        return
    offset = begin = 0
    for _, kind, value in reader().lex(text):
        at = max(text.find(value, offset), offset)
        offset = at + len(value)
        if kind == "comment_begin":
            begin = at
        elif kind == "comment_end":
            yield begin, begin + len(text[begin:offset].rstrip())


def without_braces(text: str) -> str | None:
    """Return what is between the braces around a text; None where there are none."""
    bare = text.strip()
    if not (len(bare) >= 4 and bare.startswith("{{") and bare.endswith("}}")):
        return None
    return bare[2:-2].removeprefix("-").removesuffix("-").strip()


def _refuse_braces(text: str) -> None:
    """Refuse braces in an expression, and show it without them."""
    found = re.search(r"\{[{%]", text)
    if found is None:
        return
    bare = without_braces(text)
    fix = f"; write: {' '.join(bare.split())}" if bare is not None else ""
    start = found.start()
    raise TemplateError(
        f"this is an expression already, and needs no {found[0]}{fix}",
        line=text.count("\n", 0, start) + 1,
        column=start - text.rfind("\n", 0, start),
    )


def _whole(tree: nodes.Template, source: str) -> nodes.Expr | None:
    """Return the expression of a template that is one ``{{ … }}`` with nothing but space around it."""
    sole = source.strip()
    outputs = [node for node in tree.body if isinstance(node, nodes.Output)]
    if not (sole.startswith("{{") and sole.endswith("}}")) or len(outputs) != len(tree.body):
        return None
    pieces = [piece for output in outputs for piece in output.nodes if not _is_blank(piece)]
    return pieces[0] if len(pieces) == 1 and not isinstance(pieces[0], nodes.TemplateData) else None


def _is_blank(piece: nodes.Expr) -> bool:
    return isinstance(piece, nodes.TemplateData) and not piece.data.strip()
