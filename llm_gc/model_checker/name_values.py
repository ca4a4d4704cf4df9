"""What the names of each pipeline may be for before anybody has spoken: inputs, and what is made of them alone.

A variable may be set in several places, and a loop's name stands for each item, so a name may have several values.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any

from llm_gc.errors import TemplateError
from llm_gc.language.texts import TextKind
from llm_gc.model_checker.condition_vars import words
from llm_gc.model_checker.pipelines import PipelinePart
from llm_gc.protocol import Path

MOST = 12
"""So many values are kept of a name."""


class NameValues:
    """What the names of one pipeline stand for, as far as that can be told, and which words each goes back to.

    ``values`` has the values of each name; ``inputs`` are the names of those that no reply changes.
    """

    def __init__(
        self, part: PipelinePart, inputs: Mapping[str, Sequence[Any]], origins: Mapping[str, frozenset[str]]
    ) -> None:
        """Take the inputs that are known, and the words that inputs go back to."""
        self._templates = part.templates
        self.values = {name: list(values) for name, values in inputs.items()}
        self.inputs = frozenset(inputs)
        self._origins = defaultdict(frozenset, origins)
        for name, expression in part.sets:
            self._take(name, expression, self.worked_out(expression, "expression"))
        for name, expression in part.loops:
            lists = self.worked_out(expression, "expression")
            self._take(name, expression, (item for one in lists if isinstance(one, list) for item in one))

    def _take(self, name: str, expression: Any, values: Iterable[Any]) -> None:
        if isinstance(expression, str):
            self._origins[name] |= words(expression)
        kept = self.values.setdefault(name, [])
        kept += [value for value in islice(values, MOST) if value not in kept][: MOST - len(kept)]

    def worked_out(self, text: Any, kind: TextKind) -> list[Any]:
        """Return what a text may give over what is known; nothing where it speaks of more than that."""
        return [text] if not isinstance(text, str) else list(islice(self._given(text, kind), MOST))

    def _given(self, text: str, kind: TextKind) -> Iterator[Any]:
        try:
            compiled = self._templates.expression(text) if kind == "expression" else self._templates.template(text)
        except TemplateError:
            return  # whoever renders it says so
        names = sorted(compiled.names - self._templates.everywhere)
        for values in product(*(self.values.get(name, ()) for name in names)):
            try:
                value = compiled(dict(zip(names, values, strict=True)).__getitem__)
            except TemplateError:
                continue
            if value is not None:
                yield value

    def closed(self, *texts: str) -> frozenset[str]:
        """Return the words of texts, with those that their names go back to, and so on."""
        closed, new = frozenset[str](), frozenset[str]().union(*map(words, texts))
        while new:
            closed |= new
            new = frozenset[str]().union(*(self._origins.get(word, frozenset()) for word in new)) - closed
        return closed


def name_values_in(parts: Iterable[PipelinePart], inputs: Mapping[str, Any]) -> dict[Path, NameValues]:
    """Return it for each pipeline by its path, outer ones first; the outermost has these inputs."""
    found: dict[Path, NameValues] = {}
    for part in parts:
        given = {name: [value] for name, value in inputs.items()}
        found[part.path] = _inside(part, found[part.outer.path]) if part.outer else NameValues(part, given, {})
    return found


def _inside(part: PipelinePart, around: NameValues) -> NameValues:
    """Return it for a pipeline that a scene plays: its inputs are what ``with`` gives, else their defaults."""
    schemas = part.pipeline.inputs.items()
    inputs = {name: [schema["default"]] for name, schema in schemas if "default" in schema and name not in part.given}
    values = {name: around.worked_out(text, "template") for name, text in part.given.items()}
    origins = {name: around.closed(text) for name, text in part.given.items() if isinstance(text, str)}
    return NameValues(part, inputs | {name: found for name, found in values.items() if found}, origins)
