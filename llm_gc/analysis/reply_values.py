"""What the replies of a pipeline's steps can be, and what steps leave to those after them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from llm_gc.analysis.environment import LAST, EnvironmentKey
from llm_gc.analysis.pipeline_facts import PipelineFacts
from llm_gc.analysis.value_types import UNKNOWN, Value, message, union
from llm_gc.language.fields import schema_of
from llm_gc.language.steps.choose import Choose
from llm_gc.language.steps.do import Do
from llm_gc.language.steps.parallel import Parallel
from llm_gc.language.steps.post import Post
from llm_gc.language.steps.repeat import Repeat
from llm_gc.language.steps.say import Say, SpeakingStep
from llm_gc.language.steps.scene import Scene
from llm_gc.language.steps.set import Set


class ReplyValues:
    """The formats of all replies, each read once, and what is hidden of them."""

    def __init__(self, subject: PipelineFacts) -> None:
        """Take a pipeline."""
        self._subject, self._roles = subject, subject.pipeline.roles
        self._messages: dict[tuple[int, frozenset[str]], Value] = {}
        self._left: dict[int, list[tuple[EnvironmentKey, Value]]] = {}

    def message(self, step: SpeakingStep, role: str) -> Value:
        """Return the message that a role's reply in a step is."""
        found = self._roles.get(role)
        format_ = step.format if step.format is not None else found.format if found else None
        hidden = self.hides(step) & {role}
        if (id(format_), hidden) not in self._messages:
            self._messages[id(format_), hidden] = message([schema_of(format_)], hidden)
        return self._messages[id(format_), hidden]

    def hides(self, step: SpeakingStep) -> frozenset[str]:
        """Return the roles of whose words in this step the others do not hear all: its ``result`` leaves them out."""
        if step.result is None:
            return frozenset()
        compiled = self._subject.compiled(step.result)
        for use in compiled.uses if compiled else ():
            if use.whole and (len(use.words) == 1 or use.words[-1].word == "content"):
                return frozenset()
        return frozenset([step.say] if isinstance(step, Say) else self._roles)

    def left_by(self, steps: Sequence[Any]) -> Iterator[tuple[EnvironmentKey, Value]]:
        """Yield what steps may leave to those after them: names, and the newest messages."""
        for step in steps:
            if id(step) not in self._left:  # each loop and each end looks ahead again
                self._left[id(step)] = list(self._left_by(step))
            yield from self._left[id(step)]

    def _left_by(self, step: Any) -> Iterator[tuple[EnvironmentKey, Value]]:
        match step:
            case Say() | Choose():
                yield from self._spoken(step)
            case Set():
                yield from ((EnvironmentKey(name), UNKNOWN) for name in step.set)
            case Do():
                yield from self.left_by([*step.do, *(step.else_ or ())])
            case Repeat():
                yield from [(EnvironmentKey(step.for_), UNKNOWN)] if step.for_ else []
                yield from self.left_by(step.repeat)
            case Parallel():
                yield from (one for one in self.left_by(step.parallel) if one[0].is_history)
                yield from _kept(step.as_, UNKNOWN)
            case Scene():
                yield LAST, UNKNOWN
                yield from _kept(step.as_, UNKNOWN)
            case Post():
                yield LAST, message([None])

    def _spoken(self, step: Say | Choose) -> Iterator[tuple[EnvironmentKey, Value]]:
        roles = [step.say] if isinstance(step, Say) else list(self._roles)
        said = {role: self.message(step, role) for role in roles}
        yield LAST, union(said.values())
        yield from ((EnvironmentKey(role, is_history=True), value) for role, value in said.items())
        yield from _kept(step.as_, union(said.values()))


def _kept(name: str | None, value: Value) -> list[tuple[EnvironmentKey, Value]]:
    return [(EnvironmentKey(name), value)] if name else []
