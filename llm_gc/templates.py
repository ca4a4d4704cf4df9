"""Sandboxed Jinja: a template or an expression in, a plain frozen value out.

The author's templates are code, what models write is data: it is handed in as values and never rendered. Undefined
names are errors. There is no clock, no chance and no way to a file: templates come from a mapping that was read before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from jinja2 import FunctionLoader, StrictUndefined, Undefined, meta, nodes
from jinja2 import TemplateError as JinjaError
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from llm_gc.errors import TemplateError
from llm_gc.frozen import Unfreezable, freeze

MAX_TEXT = 1_000_000
"""The largest text or list that one operation in a template may make."""

Lookup = Callable[[str], Any]
"""Gives the value of a name; raises KeyError where there is none."""

_LAZY_FILTERS = ("batch", "map", "reject", "rejectattr", "select", "selectattr", "slice")
_PADDING = frozenset({"center", "expandtabs", "ljust", "rjust", "zfill"})
_WIDE = re.compile(r"[0-9]{6,}")


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox, with the language's own rules for none, for maps and for size."""

    intercepted_binops = frozenset({"*", "**", "%"})

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

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Refuse to make what is too large to be meant."""
        if operator == "*":
            for sized, count in ((left, right), (right, left)):
                if isinstance(sized, (str, list, tuple)) and isinstance(count, int) and len(sized) * count > MAX_TEXT:
                    raise SecurityError(f"the repetition would be longer than {MAX_TEXT}")
        elif operator == "**" and isinstance(left, int) and isinstance(right, int):
            if right * max(left.bit_length(), 1) > 4096:
                raise SecurityError("the power is too large")
        elif isinstance(left, str) and _WIDE.search(left):
            raise SecurityError("the width in the format is too large")
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """Refuse padding and format widths that are too large to be meant."""
        owner, name = getattr(obj, "__self__", None), getattr(obj, "__name__", "")
        if isinstance(owner, str) and name in _PADDING and any(isinstance(n, int) and n > MAX_TEXT for n in args):
            raise SecurityError(f"the padding would be longer than {MAX_TEXT}")
        if isinstance(owner, str) and name in ("format", "format_map") and _WIDE.search(owner):
            raise SecurityError("the width in the format is too large")
        return super().call(context, obj, *args, **kwargs)


def _as_list(lazy: Any) -> Any:
    """Wrap a filter of Jinja's that gives a generator so that it gives a list."""

    def filtered(*args: Any, **kwargs: Any) -> list[Any]:
        return list(lazy(*args, **kwargs))

    for mark in ("jinja_pass_arg",):  # tells Jinja to pass the context or the environment first
        if hasattr(lazy, mark):
            setattr(filtered, mark, getattr(lazy, mark))
    return filtered


def _environment(prompts: Mapping[str, str]) -> _Environment:
    def find(name: str) -> tuple[str, str, None] | None:
        return (prompts[name], name, None) if name in prompts else None

    environment = _Environment(
        loader=FunctionLoader(find),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for name in _LAZY_FILTERS:
        environment.filters[name] = _as_list(environment.filters[name])
    del environment.filters["random"]
    environment.filters["center"] = lambda value, width=80: str(value).center(min(int(width), MAX_TEXT))
    del environment.globals["lipsum"]
    return environment


class Compiled:
    """A template or an expression, ready to be given values. ``names`` are the names it may look up."""

    __slots__ = ("_give", "names", "where")

    def __init__(self, where: str, names: frozenset[str], give: Callable[[dict[str, Any]], Any]) -> None:
        """Keep the compiled form; ``where`` says in errors which template it is."""
        self.where, self.names, self._give = where, names, give

    def __call__(self, lookup: Lookup) -> Any:
        """Give the value.

        Raises:
            TemplateError: whatever goes wrong inside, with the template's line.

        """
        values: dict[str, Any] = {}
        for name in self.names:
            try:
                values[name] = lookup(name)
            except KeyError:
                continue  # Jinja says it better, and only if the name is really reached
        try:
            value = self._give(values)
            if isinstance(value, Undefined):
                str(value)  # a strict undefined raises here what it has to say
            return freeze(value)
        except Unfreezable as error:
            raise TemplateError(str(error), self.where) from error
        except Exception as error:  # noqa: BLE001  # a template can raise anything that Python can
            _raise(error, self.where)


class Templates:
    """All templates of one pipeline: those that stand in it, and the files under ``prompts/`` by name."""

    def __init__(self, prompts: Mapping[str, str] | None = None) -> None:
        """Take the texts of the prompt files, keyed by their name under ``prompts/``."""
        self.prompts: Mapping[str, str] = dict(prompts or {})
        self._environment = _environment(self.prompts)
        self._compiled: dict[tuple[str, bool], Compiled] = {}

    def template(self, text: str) -> Compiled:
        """Compile a template; text that ends in ``.j2`` is the name of a file. Wholly one ``{{ … }}``, it keeps its type.

        Raises:
            TemplateError: for a syntax error, or a file that is not there.

        """
        return self._cached(text, False)

    def expression(self, text: str) -> Compiled:
        """Compile an expression.

        Raises:
            TemplateError: for a syntax error; one with ``{{`` in it is told to leave the braces out.

        """
        return self._cached(text, True)

    def _cached(self, text: str, is_expression: bool) -> Compiled:
        found = self._compiled.get((text, is_expression))
        if found is None:
            try:
                found = self._expression(text) if is_expression else self._template(text)
            except (JinjaError, RecursionError) as error:
                _raise(error, text if is_file(text) and not is_expression else "")
            self._compiled[text, is_expression] = found
        return found

    def _template(self, text: str) -> Compiled:
        where = text if is_file(text) else ""
        if where and where not in self.prompts:
            raise TemplateError(f"there is no file {where!r} under prompts/", where)
        source = self.prompts[where] if where else text
        tree = self._environment.parse(source, where or None)
        names = self._names(tree, frozenset({where}))
        sole = source.strip()
        if sole.startswith("{{") and sole.endswith("}}") and self._is_one_output(sole):
            return Compiled(where, names, self._evaluator(sole[2:-2].strip("-+")))
        template = self._environment.get_template(where) if where else self._environment.from_string(source)
        return Compiled(where, names, template.render)

    def _expression(self, text: str) -> Compiled:
        if "{{" in text or "{%" in text:
            plain = text.replace("{{", "").replace("}}", "").strip()
            raise TemplateError(f"this is an expression and needs no braces; write: {plain}")
        tree = self._environment.parse("{{ (" + text + "\n) }}")
        return Compiled("", self._names(tree, frozenset()), self._evaluator(text))

    def _is_one_output(self, source: str) -> bool:
        """Tell whether a template is one ``{{ … }}`` and no more."""
        match self._environment.parse(source).body:
            case [nodes.Output(nodes=[only])]:
                return not isinstance(only, nodes.TemplateData)
        return False

    def _evaluator(self, text: str) -> Callable[[dict[str, Any]], Any]:
        return self._environment.compile_expression(text, undefined_to_none=False)

    def _names(self, tree: nodes.Template, seen: frozenset[str]) -> frozenset[str]:
        """The names used here and in every file that is included from here."""
        names = frozenset(meta.find_undeclared_variables(tree))
        for included in meta.find_referenced_templates(tree):
            if included is None:
                raise TemplateError("the name of an included file must be fixed text")
            if included not in self.prompts:
                raise TemplateError(f"there is no file {included!r} under prompts/")
            if included not in seen:
                inner = self._environment.parse(self.prompts[included], included)
                names |= self._names(inner, seen | {included})
        return names


def is_file(text: str) -> bool:
    """Tell whether a template key's text names a file under ``prompts/``."""
    return text.endswith(".j2") and "\n" not in text and "{" not in text


def referenced(text: str) -> frozenset[str]:
    """Give the names of the files that a template includes, as far as they are fixed text and it can be read."""
    try:
        tree = _environment({}).parse(text)
    except JinjaError:
        return frozenset()
    return frozenset(name for name in meta.find_referenced_templates(tree) if name)


def _raise(error: BaseException, where: str) -> NoReturn:
    """Turn whatever Jinja or a template raised into a TemplateError with the template's own line."""
    if isinstance(error, TemplateError):
        raise error
    message = str(getattr(error, "message", None) or error) or type(error).__name__
    if isinstance(error, RecursionError):
        message = "it includes itself without end, or is nested too deeply"
    if isinstance(error, TemplateSyntaxError):
        named = error.name if error.name and not error.name.startswith("<") else where
        raise TemplateError(message, named, error.lineno) from error
    name, line = where, None
    trace = error.__traceback__
    while trace is not None:  # Jinja has rewritten its frames: they carry the template's name and line
        filename = trace.tb_frame.f_code.co_filename
        if filename.endswith(".j2"):
            name, line = filename, trace.tb_lineno
        elif filename == "<template>" and trace.tb_frame.f_code.co_name != "root":
            line = trace.tb_lineno
        trace = trace.tb_next
    raise TemplateError(message, name, line) from error
