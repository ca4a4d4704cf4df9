"""The sandbox in which templates run: what they can reach, and how much they may compute."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any

from jinja2 import FunctionLoader, StrictUndefined, Undefined, nodes, pass_context
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.lexer import Lexer
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from jinja2.visitor import NodeTransformer

from llm_gc.protocol import Message
from llm_gc.templates import quota
from llm_gc.templates.filters import FILTERS
from llm_gc.templates.lexer import TokenLexer
from llm_gc.templates.quota import NODE
from llm_gc.values.did_you_mean import near

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
        """Charge a comparison; in a chain, whose last part may never be evaluated, charge what is compared."""
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


_WITHHELD = frozenset({"encode", "from_bytes", "maketrans", "to_bytes", "translate"})
"""Methods that lead from text and numbers to bytes, or multiply a text past counting."""

_ANY_VALUE = frozenset({"attr", "d", "default"})
"""Filters to which it does not matter what a value is."""

_SIZES: dict[str, Callable[..., int]] = {
    "batch": quota.batched,
    "center": quota.padded,
    "expandtabs": quota.expanded,
    "indent": quota.indented,
    "join": quota.joined,
    "ljust": quota.padded,
    "replace": quota.replaced,
    "rjust": quota.padded,
    "round": quota.rounded,
    "slice": quota.sliced,
    "sum": quota.summed,
    "tojson": quota.dumped,
    "urlize": quota.linked,
    "wordwrap": quota.wrapped,
    "xmlattr": quota.linked,
    "zfill": quota.padded,
}
"""For filters and methods that can make much of little: how much."""


_WORK: dict[str, Callable[[int, tuple[Any, ...]], int]] = {
    "dictsort": quota.sorting,
    "groupby": quota.sorting,
    "majority": quota.reading,
    "mean": quota.calculating,
    "median": quota.calculating,
    "pprint": quota.calculating,
    "sort": quota.sorting,
    "stdev": quota.calculating,
    "striptags": quota.stripping,
    "tojson": quota.reading,
    "unique": quota.reading,
}
"""For filters that take longer than to look at each of their values once: how much longer, by the size of these."""

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gteq": operator.ge,
    "lt": operator.lt,
    "lteq": operator.le,
    "in": lambda left, right: left in right,
    "notin": lambda left, right: left not in right,
}

_COMPARING = {
    "eq": "eq", "==": "eq", "equalto": "eq", "ne": "ne", "!=": "ne", "lt": "lt", "<": "lt", "lessthan": "lt",
    "le": "lteq", "<=": "lteq", "gt": "gt", ">": "gt", "greaterthan": "gt", "ge": "gteq", ">=": "gteq", "in": "in",
}  # fmt: skip
"""The tests that compare, and how."""


class Missing(StrictUndefined):
    """A name, key or attribute that is not there; using it is an error that says so."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        name, thing = self._undefined_name, self._undefined_obj
        if isinstance(name, int) and not self._undefined_hint and thing is not missing:
            return f"{quota.kind(thing)} has no item {name}"
        if self._undefined_hint or thing is missing or not isinstance(name, str):
            return self._undefined_hint or super()._undefined_message
        if isinstance(thing, Message):
            known: list[str] = list(Message.__dataclass_fields__)
        else:
            known = [str(key) for key in thing] if isinstance(thing, Mapping) else []
        hint = near(name, known) or (f"It has {', '.join(known[:12])}." if known else "")
        return f"{quota.kind(thing)} has no {name!r}. {hint}".rstrip(" .")


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, with the language's own rules."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})
    code_generator_class = ChargingGenerator

    def __init__(self, prompts: Mapping[str, str]) -> None:
        """Take the texts of the prompt files, keyed by their name under ``prompts/``."""

        def find(name: str) -> tuple[str, str, None] | None:
            return (prompts[name], name, None) if name in prompts else None

        self.meter = quota.Quota()
        super().__init__(
            loader=FunctionLoader(find),
            undefined=Missing,
            finalize=pass_context(lambda _, value: self._printed(value)),
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            optimized=False,
        )
        del self.filters["random"], self.globals["lipsum"]
        own: dict[str, Callable[..., Any]] = {_EACH: self._each, _PART: self._part}
        self.filters = _Metered(self.filters | FILTERS, own, self._metered)
        plain: Mapping[str, Any] = self.tests
        self.tests = {**plain, **{name: self._tested(name, plain[name]) for name in [*_COMPARING, "lower", "upper"]}}

    @property
    def lexer(self) -> Lexer:
        """The lexer; its tokens know their column."""
        return _lexer(self)

    def begin(self) -> None:
        """Begin a rendering: what it makes is counted again."""
        self.meter.begin()

    def prepared(self, tree: nodes.Template) -> nodes.Template:
        """Return a template in which loops, ``~`` and slices go through the sandbox."""
        prepared: nodes.Template = _Prepare().visit(tree)
        prepared.set_environment(self)
        return prepared

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return self.prepared(super()._parse(source, name, filename))

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look for a map's key before its methods; attributes of none are none."""
        if obj is None:
            return None
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Items of none are none."""
        return None if obj is None else super().getitem(obj, argument)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Withhold also what leads to bytes."""
        return attr not in _WITHHELD and super().is_safe_attribute(obj, attr, value)

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        """Return what cannot be used."""
        hint = f"{attribute!r} of {quota.kind(obj)} cannot be used in a template"
        return self.undefined(hint, name=attribute, obj=obj, exc=SecurityError)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Count what ``format`` makes."""
        safe = super().wrap_str_format(value)
        if safe is None:
            return None

        def formatted(*args: Any, **kwargs: Any) -> str:
            self.meter.charge(quota.braces(str(value.__self__), args, kwargs))
            return safe(*args, **kwargs)

        return formatted

    def spend(self, work: int) -> None:
        """Count what a block of the template takes."""
        self.meter.spend(work)

    def compare(self, left: Any, operator: str, right: Any) -> Any:
        """Compare two values, and count what is looked at."""
        self.meter.spend(quota.compared(operator, left, right))
        return _OPERATORS[operator](left, right)

    def weighed(self, value: Any) -> Any:
        """Count what a comparison may look at."""
        self.meter.spend(quota.size_of(value))
        return value

    def _tested(self, name: str, test: Callable[..., Any]) -> Callable[..., Any]:
        """Return a test of Jinja's that counts what it looks at."""

        def tested(value: Any, *args: Any) -> Any:
            is_compared = name in _COMPARING and len(args) == 1
            size = quota.compared(_COMPARING[name], value, *args) if is_compared else quota.size_of(value)
            self.meter.spend(quota.TEST + size)
            return test(value, *args)

        return tested

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Count what ``+``, ``*``, ``**`` and ``%`` make."""
        size = 1
        if operator == "*":
            size = max(quota.product(left, right), quota.product(right, left))
        elif operator == "**":
            size = quota.power(left, right)
        elif operator == "+":
            size = quota.total(left, right)
        elif isinstance(left, str):
            size = quota.percent(left, right)
        self.meter.charge(size)
        return super().call_binop(context, operator, left, right)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Count what a method makes."""
        owner, name = getattr(obj, "__self__", None), getattr(obj, "__name__", "")
        self.meter.spend(quota.CALL + quota.handled(owner, name, args))
        if isinstance(owner, str) and name in _SIZES:
            values = (args[0], owner) if name == "join" and args else (owner, *args)
            self.meter.charge(_size(name, values, kwargs))
        value = super().call(context, obj, *args, **kwargs)
        value = list(value) if isinstance(value, (ItemsView, KeysView, ValuesView)) else value
        self.meter.charge(len(value) if isinstance(value, (str, list, tuple)) else 1)
        return value

    def concat(self, parts: Any) -> str:
        """Assemble pieces of output, and stop where they become too many."""
        texts, size = [], 0
        for part in parts:
            size += len(part)
            if size > quota.MAX_TEXT:
                break
            texts.append(part)
        self.meter.charge(size)
        return "".join(texts)

    def _printed(self, value: Any) -> Any:
        if not isinstance(value, Undefined):
            self.meter.charge(quota.size_of(value, written=True))
        return value

    def _each(self, items: Any) -> Any:
        """Count the rounds of a loop before it begins."""
        if not isinstance(items, Undefined):
            self.meter.charge(1 + (len(items) if hasattr(items, "__len__") else 0))
        return items

    def _part(self, value: Any, start: Any, stop: Any, step: Any) -> Any:
        """Return a slice; a part of none is none."""
        part = None if value is None else value[start:stop:step]
        self.meter.spend(len(part) if isinstance(part, (str, list, tuple)) else 1)
        return part

    def _metered(self, name: str, filter_: Callable[..., Any]) -> Callable[..., Any]:
        """Return a filter of Jinja's that counts what it makes, and gives a list where it gave a generator."""
        skip = 1 if hasattr(filter_, "jinja_pass_arg") else 0

        def filtered(*args: Any, **kwargs: Any) -> Any:
            values = args[skip:]
            self.meter.spend(quota.FILTER)
            if name not in _ANY_VALUE:
                size = quota.size_of([*values, *kwargs.values()], written=name == "string")
                self.meter.charge(size)
                self.meter.spend(_WORK[name](size, values) if name in _WORK else 0)
            if name == "format":
                self.meter.charge(quota.percent(str(values[0]), values[1:] or kwargs))
            elif name in _SIZES and not any(isinstance(value, Undefined) for value in values):
                self.meter.charge(_size(name, values, kwargs))
            result = filter_(*args, **kwargs)
            return self._listed(result) if isinstance(result, Iterator) else result

        if skip:  # tells Jinja to pass the context or the environment first
            filtered.jinja_pass_arg = filter_.jinja_pass_arg  # type: ignore[attr-defined]
        return filtered

    def _listed(self, lazy: Iterator[Any]) -> list[Any]:
        items = []
        for item in lazy:
            self.meter.charge(quota.size_of(item))
            items.append(item)
        return items


def _size(name: str, values: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
    """Return how much a filter or method makes of its arguments."""
    size = _SIZES[name]
    names = list(inspect.signature(size).parameters)
    known = {key: value for key, value in kwargs.items() if key in names}
    return size(*values, **known)


_LEXERS: list[Lexer] = []
"""The one lexer of all sandboxes, which read alike; making one costs as much as reading a template."""


def _lexer(sandbox: Sandbox) -> Lexer:
    if not _LEXERS:
        _LEXERS.append(TokenLexer(sandbox))
    return _LEXERS[0]


class _Metered(dict[str, Callable[..., Any]]):
    """Filters that count what they make; each is made to do so when it is first asked for."""

    def __init__(
        self,
        filters: Mapping[str, Callable[..., Any]],
        own: Mapping[str, Callable[..., Any]],
        metered: Callable[[str, Callable[..., Any]], Callable[..., Any]],
    ) -> None:
        """Take Jinja's and ours, those that count already, and what makes one count."""
        super().__init__({**filters, **own})
        self._counting, self._metered = dict(own), metered

    def __getitem__(self, name: str) -> Callable[..., Any]:
        if name not in self._counting:
            self._counting[name] = self._metered(name, super().__getitem__(name))
        return self._counting[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return a filter, as Jinja asks for one whose name it was given."""
        return self[name] if name in self else default  # noqa: SIM401  # that would ask this again


_EACH, _PART = " each", " part"
"""Names that no template can write."""


class _Prepare(NodeTransformer):
    """Puts the sandbox in where Jinja's compiler would go past it."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802  # Jinja calls it by the node's name
        self.generic_visit(node)
        node.iter = _filter(node.iter, _EACH, [])
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno), "join", [])

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        bounds = (node.arg.start, node.arg.stop, node.arg.step)
        return _filter(node.node, _PART, [bound or nodes.Const(None, lineno=node.lineno) for bound in bounds])


def _filter(node: Any, name: str, args: list[nodes.Expr]) -> nodes.Filter:
    return nodes.Filter(node, name, args, [], None, None, lineno=node.lineno)
