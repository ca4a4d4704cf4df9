"""Which names a template uses, where, and which other files it takes in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from jinja2 import nodes

from llm_gc.templates.lexer import Token, column


class Spotted(NamedTuple):
    """A word of a template, with its line and column from 1; ``file`` is its name under ``prompts/``, or empty."""

    word: str
    line: int
    column: int | None = None
    file: str = ""


class Use(NamedTuple):
    """A name that a template looks up, with the attributes that it continues to: ``said.reviewer.content``.

    An item that is no fixed text is as an empty word. ``guarded`` tells that the template asks somewhere whether
    the name is defined, or says what stands in for it; ``asked`` that it does so of all the words, right here.
    ``sure`` tells that rendering the template always comes by here: it is under no ``if``, ``and``, ``or`` or loop.
    ``whole`` tells that it comes out as it is, or item by item, and not only something that is worked out of it.
    """

    words: tuple[Spotted, ...]
    guarded: bool = False
    sure: bool = True
    asked: bool = False
    whole: bool = False

    @property
    def name(self) -> str:
        """The name itself."""
        return self.words[0].word


def uses(tree: nodes.Template, file: str = "") -> Iterator[Use]:
    """Yield every use of a name that the template does not bind itself."""
    guarded, whole = frozenset(_guarded(tree)), frozenset(map(id, _come_out(tree)))
    for found in _walk([tree], set()):
        spotted = tuple(Spotted(word, int(line), column(line), file) for word, line in found.words)
        yield Use(spotted, spotted[0].word in guarded, found.sure, found.asked, id(found.node) in whole)


def taken_in(tree: nodes.Template, file: str = "") -> Iterator[tuple[Spotted, bool]]:
    """Yield the other files that a template takes in, and whether they are given its names.

    Raises:
        NotFixed: where the name of one is no fixed text.

    """
    for node in tree.find_all((nodes.Extends, nodes.FromImport, nodes.Import, nodes.Include)):
        names: Any = node.template  # type: ignore[attr-defined]  # each of the four has one
        consts = names.items if isinstance(names, (nodes.List, nodes.Tuple)) else [names]
        for const in consts:
            if not isinstance(const, nodes.Const) or not isinstance(const.value, str):
                raise NotFixed(Spotted("", int(names.lineno), column(names.lineno), file))
            spotted = Spotted(const.value, int(const.lineno), _after_quote(const), file)
            yield spotted, bool(getattr(node, "with_context", True))


class NotFixed(Exception):
    """The name of a file that a template takes in is no fixed text."""

    def __init__(self, spotted: Spotted) -> None:
        """Keep where."""
        self.spotted = spotted
        super().__init__("the name of a file that is taken in must be fixed text")


_DEFINED, _DEFAULT = ("defined", "undefined"), ("default", "d")
"""The tests and filters that ask whether something is defined."""


def _guarded(tree: nodes.Template) -> Iterator[str]:
    for test in tree.find_all(nodes.Test):
        if isinstance(test.node, nodes.Name) and test.name in _DEFINED:
            yield test.node.name
    for filter_ in tree.find_all(nodes.Filter):
        if isinstance(filter_.node, nodes.Name) and filter_.name in _DEFAULT:
            yield filter_.node.name


_PASSING = frozenset((
    *_DEFAULT, " each", "capitalize", "indent", "join", "list", "lower", "reject", "rejectattr", "reverse", "select",
    "selectattr", "sort", "string", "title", "trim", "unique", "upper", "wordwrap",
))  # fmt: skip
"""The filters that give what they are given, or the items of it."""


_KEEPING = frozenset((
    " each", "list", "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "unique",
))  # fmt: skip
"""The filters that give a list of what was in the list."""


def _come_out(tree: nodes.Template) -> Iterator[nodes.Node]:
    """Yield the names, with what follows them, whose values come out as they are."""
    starts: list[nodes.Node] = [piece for output in tree.find_all(nodes.Output) for piece in output.nodes]
    starts += [loop.iter for loop in tree.find_all(nodes.For)]
    while starts:
        match node := starts.pop():
            case nodes.Name() | nodes.Getattr() | nodes.Getitem():
                yield node
            case nodes.Filter() if node.name in _PASSING and node.node is not None:
                starts.append(node.node)
                starts += node.args if node.name in ("join", *_DEFAULT) else []
            case nodes.Or() | nodes.And() | nodes.Add():
                starts += [node.left, node.right]
            case nodes.CondExpr():
                starts += [node.expr1, *([node.expr2] if node.expr2 else [])]
            case nodes.List() | nodes.Tuple():
                starts += node.items
            case nodes.Dict():
                starts += [pair.value for pair in node.items]


Words = list[tuple[str, int]]


class _Found(NamedTuple):
    """A chain of words, and how it was come by."""

    words: Words
    node: nodes.Node
    sure: bool = True
    asked: bool = False


def _perhaps(found: Iterator[_Found]) -> Iterator[_Found]:
    """Return what is found where a template may never come by."""
    return (one._replace(sure=False) for one in found)


def _walk(children: Iterable[nodes.Node], bound: set[str]) -> Iterator[_Found]:
    """Yield the names used in nodes that follow one another; ``bound`` grows by what they bind for those after them."""
    for node in children:
        visit: Any = _VISITS.get(type(node))
        yield from _walk(node.iter_child_nodes(), bound) if visit is None else visit(node, bound)


def _name(node: nodes.Name, bound: set[str]) -> Iterator[_Found]:
    if node.ctx == "load" and node.name not in bound:
        yield _Found([(node.name, node.lineno)], node)


def _for(node: nodes.For, bound: set[str]) -> Iterator[_Found]:
    yield from _walk([node.iter], bound)
    inner = bound | _targets(node.target) | {"loop"}
    yield from _perhaps(_walk([*([node.test] if node.test else []), *node.body], inner))
    yield from _perhaps(_walk(node.else_, set(bound)))


def _if(node: nodes.If, bound: set[str]) -> Iterator[_Found]:
    yield from _walk([node.test], bound)
    yield from _perhaps(_walk([*node.body, *node.elif_, *node.else_], bound))


def _either(node: nodes.CondExpr, bound: set[str]) -> Iterator[_Found]:
    yield from _walk([node.test], bound)
    yield from _perhaps(_walk([node.expr1, *([node.expr2] if node.expr2 else [])], bound))


def _and_or(node: nodes.And | nodes.Or, bound: set[str]) -> Iterator[_Found]:
    yield from _walk([node.left], bound)
    yield from _perhaps(_walk([node.right], bound))


def _asking(node: nodes.Filter | nodes.Test, bound: set[str]) -> Iterator[_Found]:
    """Yield the names in a filter or a test; those that it asks for are marked."""
    asks = node.name in (*_DEFAULT, *_DEFINED)
    for inner in node.iter_child_nodes():
        found = _walk([inner], bound)
        if asks and inner is node.node and isinstance(inner, (nodes.Getattr, nodes.Getitem, nodes.Name)):
            found = (one._replace(asked=True) for one in found)
        yield from found
    if isinstance(node, nodes.Filter):
        yield from _of_items(node, bound)


def _of_items(node: nodes.Filter, bound: set[str]) -> Iterator[_Found]:
    """Yield what a filter looks at in each item of a list: ``messages | map(attribute='data.score')``."""
    attribute, items = _attribute(node), node.node
    while isinstance(items, nodes.Filter) and items.name in _KEEPING:
        items = items.node
    if attribute is None or not isinstance(items, (nodes.Getattr, nodes.Getitem, nodes.Name)):
        return
    first, at = next(_walk([items], bound), None), 1
    if first is not None and attribute.value.replace(".", "").isidentifier():
        words: Words = [*first.words, ("", attribute.lineno)]
        for word in attribute.value.split("."):
            words.append((word, moved(attribute.lineno, at)))
            at += len(word) + 1
        is_asked = any(argument.key == "default" for argument in node.kwargs)
        yield _Found(words, node, asked=is_asked)


def _attribute(node: nodes.Filter) -> nodes.Const | None:
    """Return the fixed text that names what a filter looks at."""
    given = [argument.value for argument in node.kwargs if argument.key == "attribute"]
    given += node.args[:1] if node.name in ("groupby", "majority", "rejectattr", "selectattr") else []
    return given[0] if given and isinstance(given[0], nodes.Const) and isinstance(given[0].value, str) else None


def _with(node: nodes.With, bound: set[str]) -> Iterator[_Found]:
    yield from _walk(node.values, bound)
    yield from _walk(node.body, bound.union(*map(_targets, node.targets)))


def _macro(node: nodes.Macro | nodes.CallBlock, bound: set[str]) -> Iterator[_Found]:
    yield from _walk(node.defaults, bound)
    if isinstance(node, nodes.CallBlock):
        yield from _walk([node.call], bound)
    else:
        bound.add(node.name)
    yield from _perhaps(_walk(node.body, bound | {arg.name for arg in node.args} | {"varargs", "kwargs", "caller"}))


def _assign(node: nodes.Assign, bound: set[str]) -> Iterator[_Found]:
    yield from _walk([node.node], bound)
    bound |= _targets(node.target)


def _assign_block(node: nodes.AssignBlock, bound: set[str]) -> Iterator[_Found]:
    yield from _walk([*([node.filter] if node.filter else []), *node.body], set(bound))
    bound |= _targets(node.target)


def _import(node: nodes.Import | nodes.FromImport, bound: set[str]) -> Iterator[_Found]:
    names = [node.target] if isinstance(node, nodes.Import) else node.names
    bound |= {name if isinstance(name, str) else name[1] for name in names}
    yield from ()


def _block(node: nodes.Block, bound: set[str]) -> Iterator[_Found]:
    yield from _walk(node.body, bound | {"super", "self"})


def _chain(node: nodes.Node, bound: set[str]) -> Iterator[_Found]:
    """Yield a name with the attributes that follow it, and the names used in its items."""
    words: Words = []
    inner: list[nodes.Node] = []
    chain = node
    while isinstance(node, (nodes.Getattr, nodes.Getitem)):
        if isinstance(node, nodes.Getattr):
            words.append((node.attr, moved(node.lineno, 1)))  # the line of an attribute is that of its dot
        elif isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            words.append((node.arg.value, moved(node.arg.lineno, 1)))
        else:
            words.append(("", node.lineno))
            inner.append(node.arg)
        node = node.node
    if not isinstance(node, nodes.Name):
        yield from _walk([node], bound)
    elif node.name not in bound:
        yield _Found([(node.name, node.lineno), *reversed(words)], chain)
    yield from _walk(inner, bound)


def moved(line: int, columns: int) -> int:
    """Return the spot so many columns further on."""
    return Token.of(int(line), line.column + columns) if isinstance(line, Token) else line


def _after_quote(const: nodes.Const) -> int | None:
    return column(moved(const.lineno, 1))


def _targets(target: nodes.Node) -> set[str]:
    names = {name.name for name in target.find_all(nodes.Name)}
    return names | {target.name} if isinstance(target, nodes.Name) else names


_VISITS = {
    nodes.Name: _name,
    nodes.Getattr: _chain,
    nodes.Getitem: _chain,
    nodes.For: _for,
    nodes.If: _if,
    nodes.CondExpr: _either,
    nodes.And: _and_or,
    nodes.Or: _and_or,
    nodes.Filter: _asking,
    nodes.Test: _asking,
    nodes.With: _with,
    nodes.Macro: _macro,
    nodes.CallBlock: _macro,
    nodes.Assign: _assign,
    nodes.AssignBlock: _assign_block,
    nodes.Import: _import,
    nodes.FromImport: _import,
    nodes.Block: _block,
}
"""What is done with a node, where that is more than to look at what is in it."""
