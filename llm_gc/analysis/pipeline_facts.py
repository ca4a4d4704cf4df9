"""What the rules look at: a pipeline and its prompts, and what is worked out of them, once for all rules."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from llm_gc.analysis.declared_names import DeclaredName, declared_names
from llm_gc.analysis.problem import NO_FACTS, FileFacts
from llm_gc.errors import TemplateError
from llm_gc.language.limits import most_tokens
from llm_gc.language.pipeline import Pipeline
from llm_gc.language.texts import Text, models, texts
from llm_gc.protocol import Path
from llm_gc.templates import Compiled, Templates, referenced


class PipelineFacts:
    """A pipeline under examination. Whatever more than one rule needs is worked out when it is first asked for."""

    def __init__(
        self,
        pipeline: Pipeline,
        prompts: Mapping[str, str],
        scenes: Mapping[str, Pipeline] | None = None,
        *,
        whole: bool = True,
        facts: FileFacts = NO_FACTS,
    ) -> None:
        """Take a pipeline, and the texts of its prompt files by their names under ``prompts/``.

        ``scenes`` are the pipelines that its scenes play, by the names of their files, as far as they can be loaded. It
        is not ``whole`` where broken parts of it were cut away.
        """
        self.pipeline, self.scenes, self.whole, self.facts = pipeline, scenes or {}, whole, facts
        self.templates = Templates.over(prompts)
        self._sources: dict[str, str] = {}
        self._numbers: dict[str, int | None] = {}

    @cached_property
    def models(self) -> tuple[tuple[Path, BaseModel], ...]:
        """All models in it with their paths, in the order of the document."""
        return tuple(models(self.pipeline))

    @cached_property
    def texts(self) -> tuple[tuple[Text, Compiled | None], ...]:
        """All templates and expressions in it, compiled where they can be."""
        return tuple((text, self.compiled(text.text, text.kind == "expression")) for text in texts(self.pipeline))

    @cached_property
    def is_unread(self) -> bool:
        """Whether some template or file cannot be read, so that nobody knows what it says."""
        return any(compiled is None for _, compiled in self.texts)

    @cached_property
    def given(self) -> tuple[DeclaredName, ...]:
        """All names that it gives."""
        return tuple(declared_names(self.pipeline))

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """The inputs that have a default, with it."""
        return {name: schema["default"] for name, schema in self.pipeline.inputs.items() if "default" in schema}

    def compiled(self, text: str, is_expression: bool = False) -> Compiled | None:
        """Return a template or an expression compiled; None where it cannot be, of which a rule speaks."""
        try:
            return self.templates.expression(text) if is_expression else self.templates.template(text)
        except TemplateError:
            return None

    def worked_out(self, text: Any, is_expression: bool = False) -> Any:
        """Return the value of a template that needs the inputs' defaults at most; what is no text is one already.

        Raises:
            ValueError: where it needs more than that, or fails.

        """
        if not isinstance(text, str):
            return text
        compiled = self.compiled(text, is_expression)
        if compiled is None or not compiled.names <= {*self.inputs, *self.templates.everywhere}:
            raise ValueError(text)
        try:
            return compiled(self.inputs.__getitem__)
        except TemplateError as error:
            raise ValueError(text) from error

    def constant(self, expression: str | None) -> Any:
        """Return the value of an expression that names nothing, None where it names something."""
        compiled = self.compiled(expression, is_expression=True) if expression is not None else None
        if compiled is None or compiled.names:
            return None
        try:
            return compiled(self.inputs.__getitem__)
        except TemplateError:
            return None

    def number(self, template: Any) -> int | None:
        """Return the whole number that a template gives over the inputs' defaults; None where nobody can tell."""
        if not isinstance(template, str):
            return template if isinstance(template, int) and not isinstance(template, bool) else None
        if template not in self._numbers:
            try:
                value = self.worked_out(template)
            except ValueError:
                value = None
            self._numbers[template] = value if isinstance(value, int) and not isinstance(value, bool) else None
        return self._numbers[template]

    def most_tokens(self, own: Any) -> int | None:
        """Return how many tokens a message has at most whose step or role says ``own``; None where nobody can tell."""
        limits, known = self.pipeline.limits, self.number(own)
        is_written = "max_tokens" in limits.model_fields_set
        cap = self.number(limits.max_tokens) if is_written else None
        if (own is not None and known is None) or (is_written and cap is None):
            return cap if known is None else known
        return most_tokens(known, cap)

    def least(self, template: Any) -> int:
        """Return the least whole number that a template gives: the schema of an input may tell."""
        if isinstance(template, int):
            return template
        name = str(template).strip().removeprefix("{{").removesuffix("}}").strip()
        schema = self.pipeline.inputs.get(name, {})
        least = schema.get("minimum", 0)
        if not name.isidentifier() or not isinstance(least, (int, float)):
            return (self.number(template) or 0) if self.is_constant(template) else 0
        return int(least)

    def is_constant(self, template: str) -> bool:
        """Return whether a template gives the same wherever it is: it names nothing."""
        compiled = self.compiled(template)
        return compiled is not None and not compiled.names

    def source(self, text: str | None) -> str:
        """Return a template's text, with that of the file it names and of all files that those take in."""
        if text is None:
            return ""
        if text not in self._sources:
            names, seen = [text] if text in self.templates else [], set[str]()
            whole = "" if names else text
            wanted = names or list(referenced(text) if "{%" in text else ())
            while wanted:
                name = wanted.pop()
                if name in seen or name not in self.templates:
                    continue
                seen.add(name)
                content = self.templates[name]
                whole += "\n" + content
                wanted += referenced(content) if "{%" in content else ()
            self._sources[text] = whole
        return self._sources[text]
