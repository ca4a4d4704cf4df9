"""What cannot be told before anybody has answered: the names that hold what was said, and the texts that read them.

A name is unknown where it holds a message, or was worked out from one. Who said it and when are known all the same,
on the course that is planned: ``last.role`` reads nothing unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pydantic import BaseModel

from llm_gc.errors import TemplateError
from llm_gc.pipeline import Pipeline
from llm_gc.steps.parallel import Parallel
from llm_gc.steps.repeat import Repeat
from llm_gc.steps.say import Turn
from llm_gc.steps.scene import Scene
from llm_gc.steps.set import Set
from llm_gc.templates import Templates
from llm_gc.texts import models

SAID = frozenset(("last", "said", "messages"))

_PLAIN = frozenset(("role", "label", "turn"))
"""Attributes of a message that do not hang on what it says."""


class Unknown:
    """The unknown names of one pipeline, some of whose ``inputs`` may be unknown already."""

    def __init__(self, pipeline: Pipeline, prompts: Mapping[str, str], inputs: Iterable[str] = ()) -> None:
        """Work them out: whatever is set from something unknown is unknown too."""
        self._templates = Templates.over(prompts)
        self._models = [model for _, model in models(pipeline.turns)]
        self.names = SAID | frozenset(inputs) | frozenset(self._named())
        size = 0
        while size != len(self.names):
            size = len(self.names)
            self.names |= frozenset(self._derived())

    def reads(self, text: object, *, is_expression: bool) -> bool:
        """Tell whether a text reads something unknown; one that cannot be compiled may."""
        if not isinstance(text, str):
            return False
        try:
            compiled = self._templates.expression(text) if is_expression else self._templates.template(text)
        except TemplateError:
            return True
        return any(use.name in self.names and use.words[-1].word not in _PLAIN for use in compiled.uses)

    def inputs_of(self, scene: Scene) -> frozenset[str]:
        """Name the inputs that a scene gives another pipeline from something unknown."""
        given = (scene.with_ or {}).items()
        return frozenset(name for name, text in given if self.reads(text, is_expression=False))

    def _named(self) -> Iterator[str]:
        """Give the names of messages, and of lists of them."""
        for model in self._models:
            if isinstance(model, (Turn, Parallel, Scene)) and model.as_ is not None:
                yield model.as_

    def _derived(self) -> Iterator[str]:
        for model in self._models:
            yield from self._set_by(model)

    def _set_by(self, model: BaseModel) -> Iterator[str]:
        if isinstance(model, Set):
            yield from (name for name, text in model.set.items() if self.reads(text, is_expression=True))
        elif isinstance(model, (Repeat, Parallel)) and model.for_ and self.reads(model.in_, is_expression=True):
            yield model.for_
