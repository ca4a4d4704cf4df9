"""What the names of each pipeline stand for before anybody has spoken: its inputs, and variables set from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from llm_gc.drivers.explore.parts import Part
from llm_gc.drivers.explore.reads import words
from llm_gc.errors import TemplateError
from llm_gc.protocol import Path
from llm_gc.texts import TextKind


class Known:
    """What the names of one pipeline stand for, as far as that can be told, and which words each goes back to."""

    def __init__(self, part: Part, inputs: Mapping[str, Any], origins: Mapping[str, frozenset[str]]) -> None:
        """Take the inputs that are known, and the words that inputs go back to."""
        self._templates = part.templates
        self.values = dict(inputs)
        self._origins = defaultdict(frozenset, origins)
        for name, expression in part.sets:
            value = self.worked_out(expression, "expression")
            if value is not None:
                self.values.setdefault(name, value)
            if isinstance(expression, str):
                self._origins[name] |= words(expression)

    def worked_out(self, text: Any, kind: TextKind) -> Any:
        """Give what a text gives over what is known; none where it speaks of more than that."""
        if not isinstance(text, str):
            return text
        try:
            compiled = self._templates.expression(text) if kind == "expression" else self._templates.template(text)
            if compiled.names <= {*self.values, *self._templates.everywhere}:
                return compiled(self.values.__getitem__)
        except TemplateError:
            pass  # whoever renders it says so
        return None

    def closed(self, text: str) -> frozenset[str]:
        """Give the words of a text, with those that its names go back to, and so on."""
        closed, new = frozenset[str](), words(text)
        while new:
            closed |= new
            new = frozenset[str]().union(*(self._origins.get(word, frozenset()) for word in new)) - closed
        return closed


def known_in(parts: Iterable[Part], inputs: Mapping[str, Any]) -> dict[Path, Known]:
    """Give it for each pipeline by its path, outer ones first; the outermost has these inputs."""
    found: dict[Path, Known] = {}
    for part in parts:
        found[part.path] = _inside(part, found[part.outer.path]) if part.outer else Known(part, inputs, {})
    return found


def _inside(part: Part, around: Known) -> Known:
    """Give it for a pipeline that a scene plays: its inputs are what ``with`` gives, else their defaults."""
    schemas = part.pipeline.inputs.items()
    inputs = {name: schema["default"] for name, schema in schemas if "default" in schema and name not in part.given}
    values = {name: around.worked_out(text, "template") for name, text in part.given.items()}
    origins = {name: around.closed(text) for name, text in part.given.items() if isinstance(text, str)}
    return Known(part, inputs | {name: value for name, value in values.items() if value is not None}, origins)
