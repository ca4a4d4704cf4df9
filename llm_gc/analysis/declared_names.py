"""The names that a pipeline gives to things, and those that are taken before it gives any."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from llm_gc.language.pipeline import Pipeline
from llm_gc.language.steps.parallel import Parallel
from llm_gc.language.steps.repeat import Repeat
from llm_gc.language.steps.say import SpeakingStep
from llm_gc.language.steps.scene import Scene
from llm_gc.language.steps.set import Set
from llm_gc.language.texts import models
from llm_gc.protocol import Path

NAMES = ("last", "said", "messages", "roles", "role", "turn", "round")
"""The names that llm-gc itself gives to templates."""

JINJA = ("range", "dict", "cycler", "joiner", "namespace")
"""The names that Jinja gives to every template."""

WORDS = ("and", "else", "false", "if", "in", "is", "none", "not", "or", "true")
"""The words of Jinja's language that are where a name could."""

INSIDE = ("caller", "kwargs", "loop", "self", "super", "varargs")
"""The names that Jinja gives inside its loops, macros and blocks."""

SEEN = ("all", "none", "own", "others", "narrator", "random")
"""What is in the place of a role's name."""


class DeclaredName(NamedTuple):
    """A name, what it is the name of, and where it is given; ``key`` where it is a key there."""

    name: str
    kind: Literal["input", "role", "variable", "loop"]
    path: Path
    key: bool = False


def declared_names(pipeline: Pipeline) -> Iterator[DeclaredName]:
    """Yield every name that a pipeline gives, in the order of the document."""
    for name in pipeline.inputs:
        yield DeclaredName(name, "input", ("inputs", name), key=True)
    for name in pipeline.roles:
        yield DeclaredName(name, "role", ("roles", name), key=True)
    for path, model in models(pipeline):
        if isinstance(model, Set):
            yield from (DeclaredName(name, "variable", (*path, "set", name), key=True) for name in model.set)
        if isinstance(model, (Repeat, Parallel)) and model.for_:
            yield DeclaredName(model.for_, "loop", (*path, "for"))
        if isinstance(model, (SpeakingStep, Parallel, Scene)) and model.as_:
            yield DeclaredName(model.as_, "variable", (*path, "as"))
