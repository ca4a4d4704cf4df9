"""Templates and expressions, compiled once: a text in, something to call with values out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, NoReturn

from jinja2 import TemplateError as JinjaError
from jinja2 import Undefined, nodes
from jinja2.environment import TemplateExpression
from jinja2.exceptions import TemplateSyntaxError

from llm_gc.errors import TemplateError
from llm_gc.protocol import PromptFile
from llm_gc.templates.error_messages import plain
from llm_gc.templates.lexer import column
from llm_gc.templates.name_finder import NotFixed, Spotted, Use, taken_in
from llm_gc.templates.parsing import Parsed, parse, reader
from llm_gc.templates.quota import size_of
from llm_gc.templates.sandbox import Sandbox
from llm_gc.values.frozen import Unfreezable, freeze

_LINE_END = re.compile(r"\r\n|\r")

Lookup = Callable[[str], Any]
"""Gives the value of a name; raises KeyError where there is none."""


_NO_NAMES: frozenset[str] = frozenset()
_NOTHING: Mapping[str, Any] = {}


class Compiled:
    """A template or an expression, ready to be given values. ``uses`` are the names that it looks up, and where.

    ``sole`` is its only expression, where it is nothing else.
    """

    __slots__ = ("_give", "names", "sole", "uses", "where")

    def __init__(
        self,
        where: str,
        used: tuple[Use, ...],
        give: Callable[[dict[str, Any]], Any],
        sole: nodes.Expr | None = None,
    ) -> None:
        """Keep the compiled form; ``where`` says in errors which file it is."""
        self.where, self.uses, self._give, self.sole = where, used, give, sole
        self.names = frozenset([use.name for use in used]) if used else _NO_NAMES

    def __call__(self, lookup: Lookup) -> Any:
        """Return the value.

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
            return _data(self._give(values))
        except Exception as error:  # noqa: BLE001  # a template can raise anything that Python can
            _raise(error, self.where, self.sole.lineno if self.sole else None)


class Templates(Mapping[str, str]):
    """All templates of one pipeline: those that are in it, and the files under ``prompts/`` by name.

    It is the mapping of those files' texts as well, so that whoever is handed the texts need compile nothing twice.
    """

    def __init__(self, prompts: Mapping[str, str] | None = None) -> None:
        """Take the texts of the prompt files, keyed by their name under ``prompts/``."""
        self.prompts: Mapping[str, str] = dict(prompts or {})
        self._compiled: dict[tuple[str, bool, bool], Compiled] = {}

    @classmethod
    def over(cls, prompts: Mapping[str, str]) -> Templates:
        """Return the templates over these texts; what has been compiled over them before stays compiled."""
        return prompts if isinstance(prompts, Templates) else cls(prompts)

    def __getitem__(self, name: str) -> str:
        """Return a file's text."""
        return self.prompts[name]

    def __iter__(self) -> Iterator[str]:
        """Return the files' names."""
        return iter(self.prompts)

    def __len__(self) -> int:
        """Count the files."""
        return len(self.prompts)

    @cached_property
    def _sandbox(self) -> Sandbox:
        return Sandbox(self.prompts)

    @property
    def everywhere(self) -> frozenset[str]:
        """The names that every template has from Jinja."""
        return frozenset(reader().globals)

    def template(self, text: str) -> Compiled:
        """Compile a template, or the prompt file that it names. Wholly one ``{{ … }}``, it keeps its type.

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

    def culprits(self, text: str, error: TemplateError, *, is_expression: bool = False) -> Iterator[TemplateError]:
        """Yield each failure at its own word, where a template or expression without names failed with ``error``."""
        from llm_gc.templates.error_messages import culprits  # only what fails pays for its import

        of_file = error.file
        parsed = parse(self.prompts[of_file], of_file) if of_file else parse(text, is_expression=is_expression)

        def failure(part: nodes.Expr) -> str:
            alone = Parsed(nodes.Template([nodes.Output([part])]), of_file, part)
            try:
                if all(use.name in self.everywhere for use in alone.uses):  # else it needs what the template sets
                    self._made(alone)(_NOTHING.__getitem__)
            except TemplateError as found:
                return found.message
            return ""

        return culprits(parsed.tree, error, failure)

    def _cached(self, text: str, is_expression: bool) -> Compiled:
        key = (text, is_expression, is_file(text))  # a prompt file's name equals the text of the same letters
        found = self._compiled.get(key)
        if found is None:
            try:
                found = self._made(parse(text, is_expression=True)) if is_expression else self._template(text)
            except Exception as error:  # noqa: BLE001  # Python refuses some of what Jinja makes of a template
                _raise(error, text if is_file(text) and not is_expression else "")
            self._compiled[key] = found
        return found

    def _template(self, text: str) -> Compiled:
        where = text if is_file(text) else ""
        if where and where not in self.prompts:
            raise TemplateError(f"there is no file {where!r} under prompts/", where)
        source = self.prompts[where] if where else text
        if "{" not in source:  # what has nothing of Jinja's in it stands for itself
            constant = _LINE_END.sub("\n", source).removesuffix("\n")
            return Compiled(where, (), lambda _: constant)
        parsed = parse(source, where)
        if not parsed.takes_in:
            return self._made(parsed)
        used = tuple(self._uses(parsed, (where,), {}))
        template = self._sandbox.get_template(where) if where else self._sandbox.from_string(source)
        return Compiled(where, used, self._beginning(template.render))

    def _made(self, parsed: Parsed) -> Compiled:
        """Return what was read, ready to be given values; what it takes for that is made when it first is."""
        rendering: list[Callable[[dict[str, Any]], Any]] = []
        name = parsed.sole.name if isinstance(parsed.sole, nodes.Name) else None

        def give(values: dict[str, Any]) -> Any:
            if name in values:  # a name alone, as in `times: "{{ rounds }}"`, takes no code
                return values[name]
            if not rendering:
                globals_ = self._sandbox.make_globals(None)
                template = self._sandbox.template_class.from_code(self._sandbox, parsed.code, globals_)
                of_one = TemplateExpression(template, undefined_to_none=False)
                rendering.append(template.render if parsed.sole is None else of_one)
            self._sandbox.begin()
            return rendering[0](values)

        return Compiled(parsed.where, parsed.uses, give, parsed.sole)

    def _beginning(self, give: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        def begun(values: dict[str, Any]) -> Any:
            self._sandbox.begin()
            return give(values)

        return begun

    def _uses(self, parsed: Parsed, within: tuple[str, ...], known: dict[str, tuple[Use, ...]]) -> Iterator[Use]:
        """The names used here and in every file that is taken in from here; ``known`` are those of files looked at."""
        yield from parsed.uses
        for other, gives_names in taken_in(parsed.tree, within[-1]) if parsed.takes_in else ():
            name = other.word
            if name not in self.prompts:
                raise _error(f"there is no file {name!r} under prompts/", other)
            if name in within:
                way = " and ".join(within[within.index(name) + 1 :])
                raise _error(f"{name} takes itself in without end{f', by way of {way}' if way else ''}", other)
            if name not in known:
                inner = self._uses(parse(self.prompts[name], name), (*within, name), known)
                known[name] = tuple(dict.fromkeys(inner))
            for use in known[name]:
                if not gives_names and not use.guarded:
                    raise _error(f"{name} uses {use.name!r}, and is given no names here; add 'with context'", other)
                yield use


def _data(value: Any) -> Any:
    """Freeze what came out; an ``if`` without ``else`` gives none, and a name that is not there raises."""
    if isinstance(value, Undefined):
        return None if type(value) is Undefined else str(value)
    try:
        return freeze(value)
    except Unfreezable:
        size_of(value)  # says it of methods and the like in words for authors
        for item in value if isinstance(value, (list, tuple)) else value.values() if isinstance(value, Mapping) else ():
            _data(item)
        raise


def _error(message: str, at: Spotted) -> TemplateError:
    return TemplateError(message, at.file, at.line, column=at.column)


def is_file(text: str) -> bool:
    """Return whether a template key's text names a file under ``prompts/``."""
    return isinstance(text, PromptFile) or (text.endswith(".j2") and "\n" not in text and "{" not in text)


def taken(text: str, file: str = "") -> list[Spotted]:
    """Return the files that a template takes in and where, as far as it can be read and they are fixed text."""
    if "{%" not in text:
        return []
    try:
        return [spotted for spotted, _ in taken_in(reader().parse(text), file)]
    except (JinjaError, NotFixed, RecursionError, ValueError):
        return []


def referenced(text: str) -> frozenset[str]:
    """Return the names of the files that a template takes in."""
    return frozenset(spotted.word for spotted in taken(text))


def _raise(error: BaseException, where: str, line: int | None = None) -> NoReturn:
    """Turn whatever Jinja or a template raised into a TemplateError with the template's own line."""
    if isinstance(error, TemplateError):
        raise error
    if isinstance(error, NotFixed):
        raise _error(str(error), error.spotted) from error
    message = plain(str(getattr(error, "message", None) or error) or type(error).__name__)
    if isinstance(error, (RecursionError, MemoryError, SyntaxError)):
        message = "it is nested too deeply"
    if isinstance(error, TemplateSyntaxError):
        named = error.name if error.name and not error.name.startswith("<") else where
        raise TemplateError(message, named, error.lineno, column=column(error.lineno)) from error
    name, line = _last_frame(error, where, line)
    raise TemplateError(message, name, line, column=column(line)) from error


def _last_frame(error: BaseException, where: str, line: int | None) -> tuple[str, int | None]:
    """Return the template and the line in which something was raised: Jinja has put them into the traceback."""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename.endswith((".j2", ".md", ".txt")):
            where, line = code.co_filename, trace.tb_lineno
        elif code.co_filename == "<template>" and code.co_name != "root":
            line = trace.tb_lineno
        trace = trace.tb_next
    return where, line
