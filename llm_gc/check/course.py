"""The longest course that a conversation can take, turn by turn: who speaks, with what to answer, in how many tokens.

Every ``when`` holds in it, every loop goes round as often as it may, every reply is as long as it may be. Of two
groups of which one is done both are gone, each from the same beginning, and the longer one counts. What nobody can
tell beforehand (an input without a default, what a template makes of messages) counts as nothing: what is said of the
course is true of the longest one at least.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from llm_gc.check.subject import Subject
from llm_gc.check.told import Told
from llm_gc.frozen import as_text
from llm_gc.protocol import Path
from llm_gc.steps.choose import Choose
from llm_gc.steps.do import Do
from llm_gc.steps.end import End
from llm_gc.steps.parallel import Parallel
from llm_gc.steps.post import Post
from llm_gc.steps.repeat import Repeat
from llm_gc.steps.say import Say, Turn
from llm_gc.steps.scene import Scene

CHARACTERS = 4
"""So many characters of plain text are about a token."""

AROUND = 4
"""Tokens around each message: its label, and the marks of the model's own template."""

PATIENCE = 3
"""Rounds of a loop that are looked at where only the order matters, not the sizes."""

MOST_TURNS, MOST_VISITS = 1000, 10_000
"""No more turns and steps than that are looked at: the course is worked out while somebody waits."""

NARRATOR = "narrator"

_TAGS = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Overflow:
    """A turn whose prompt and reply together are longer than the role's context window; sizes in tokens."""

    role: str
    turn: int
    prompt: int
    reply: int
    num_ctx: int


@dataclass(slots=True)
class Visits:
    """How often the course comes by a step, and how often its speaker has nothing to answer there, or nothing new.

    ``is_sure`` tells that no ``when`` stands between the beginning and the step.
    """

    role: str
    is_sure: bool
    times: int = 0
    silent: int = 0
    again: int = 0


class Full(Exception):
    """There are as many turns as there may be, or nothing more is to be learnt; ``level`` is the scene that ends."""

    def __init__(self, level: int = 0) -> None:
        """Keep the level."""
        self.level = level
        super().__init__(level)


class Course:
    """The course, and what was seen on it: the first ``overflow``, and the ``visits`` of ``say`` steps by path."""

    def __init__(self, subject: Subject) -> None:
        """Go it."""
        self._subject, pipeline = subject, subject.pipeline
        self.overflow: Overflow | None = None
        self.visits: dict[Path, Visits] = {}
        self._count = 0
        self._most_turns: list[int] = []
        self._sizes: dict[str, int] = {}
        keeps = pipeline.limits.on_overflow == "drop_oldest"
        windows = {name: None if keeps else subject.number(role.num_ctx) for name, role in pipeline.roles.items()}
        self._windows = {name: size for name, size in windows.items() if size is not None}
        self._limit = subject.number(pipeline.limits.max_tokens)
        told = Told(self._size(pipeline.opening))
        most = subject.number(pipeline.limits.max_turns)
        self._within(most, lambda: self._run(pipeline.turns, ("turns",), told, is_sure=True))

    # --- Steps

    def _run(self, steps: Sequence[Any], path: Path, told: Told, *, is_sure: bool) -> Told:
        for index, step in enumerate(steps):
            told = self._step(step, (*path, index), told, is_sure=is_sure and step.when is None)
        return told

    def _step(self, step: Any, path: Path, told: Told, *, is_sure: bool) -> Told:
        self._count += 1
        if self._count > MOST_VISITS:
            raise Full
        holds = self._subject.constant(step.when)
        if holds is not None and not holds:
            others = step.else_ if isinstance(step, Do) else None
            return self._run(others or [], (*path, "else"), told, is_sure=is_sure)
        match step:
            case Say() | Choose():
                self._speak(step, path, told, is_sure=is_sure)
            case Do():
                instead = told.copy() if step.else_ else told
                done = self._run(step.do, (*path, "do"), told, is_sure=is_sure)
                other = self._run(step.else_, (*path, "else"), instead, is_sure=is_sure) if step.else_ else done
                return done.longer(other) if step.else_ else done
            case Repeat():
                return self._repeat(step, path, told, is_sure=is_sure)
            case Parallel():
                self._parallel(step, path, told, is_sure=is_sure)
            case Scene():
                self._scene(step, path, told, is_sure=is_sure)
            case Post():
                told.say(NARRATOR, self._size(step.post) + AROUND)
            case End() if is_sure:
                raise Full(len(self._most_turns) - 1)
        return told

    def _repeat(self, step: Repeat, path: Path, told: Told, *, is_sure: bool) -> Told:
        rounds, number = self._times(step), 0
        is_open = step.times is None and step.for_ is None
        if not self._windows or is_open:
            rounds = MOST_TURNS if self._windows else PATIENCE if is_open else min(rounds, PATIENCE)
        while number < rounds:
            number, before = number + 1, told.turns
            told = self._run(step.repeat, (*path, "repeat"), told, is_sure=is_sure)
            if told.turns == before:
                break
        return told

    def _parallel(self, step: Parallel, path: Path, told: Told, *, is_sure: bool) -> None:
        copies, base = self._times(step), told.copy()
        if copies == 0:
            return
        for index, branch in enumerate(step.parallel):
            sure = is_sure and branch.when is None
            way = self._step(branch, (*path, "parallel", index), base.copy(), is_sure=sure)
            told.join(base, way, copies)
        if copies > 1 or len(step.parallel) > 1:
            told.newest = ""

    def _scene(self, step: Scene, path: Path, told: Told, *, is_sure: bool) -> None:
        name = step.speaker if step.speaker in self._subject.pipeline.roles else "scene"
        if isinstance(step.scene, str):
            told.say(name, (self._limit or 0) + AROUND)
            told.turns += 1
            return
        steps, inner = step.scene, Told(self._size(step.opening), turns=told.turns)
        most = self._subject.number(step.limits.max_turns) if step.limits else None
        is_set = step.limits is not None and "max_turns" in step.limits.model_fields_set
        self._within(
            told.turns + most if most is not None and is_set else None,
            lambda: self._run(steps, (*path, "scene"), inner, is_sure=is_sure),
        )
        told.turns = inner.turns
        if inner.piles:
            told.say(name, max(pile.most for pile in inner.piles.values()))

    def _within(self, most_turns: int | None, go: Callable[[], Told]) -> None:
        """Go on inside a scene until it ends."""
        level = len(self._most_turns)
        self._most_turns.append(MOST_TURNS if most_turns is None else most_turns)
        try:
            go()
        except Full as full:
            if full.level < level:
                raise
        finally:
            self._most_turns.pop()

    # --- Speaking

    def _speak(self, step: Say | Choose, path: Path, told: Told, *, is_sure: bool) -> None:
        for level, most in enumerate(self._most_turns):
            if told.turns >= most:
                raise Full(level)
        if isinstance(step, Choose) and step.by in self._subject.pipeline.roles:
            told.instruct(step.by, self._size(" ".join(self._allowed(step))) + AROUND)
            self._fits(step.by, None, told)
        told.turns += 1
        speakers = [step.say] if isinstance(step, Say) else self._allowed(step)
        speakers = [name for name in speakers if name in self._subject.pipeline.roles]
        if not speakers:
            return
        instruction = self._size(step.instruction)
        if isinstance(step, Say):
            self._visit(step, path, told, is_sure=is_sure and not instruction)
        for name in speakers:
            self._fits(name, step, told, instruction)
        longest = max(speakers, key=lambda name: self._reply(name, step))
        told.instruct(longest, instruction)
        told.say(longest, self._reply(longest, step) + AROUND, is_heard=step.result != "")
        if len(speakers) > 1:
            told.newest = ""

    def _visit(self, step: Say, path: Path, told: Told, *, is_sure: bool) -> None:
        role, visits = self._subject.pipeline.roles[step.say], self.visits.get(path)
        if visits is None:
            visits = self.visits[path] = Visits(step.say, is_sure)
        view, pile = step.sees or role.sees, told.piles.get(step.say)
        others, own = told.others_at(step.say, view), told.own_at(step.say, view)
        has_read = (view.opening and told.opening) or (pile is not None and pile.told)
        visits.times += 1
        if not self._size(step.instruction):
            visits.silent += not has_read and not others and not own
            visits.again += own > others

    def _fits(self, name: str, step: Turn | None, told: Told, instruction: int = 0) -> None:
        """Find out whether what a role is sent fits its context window, with the reply."""
        window, role = self._windows.get(name), self._subject.pipeline.roles[name]
        if window is None or role.human:
            return
        view = (step.sees if step else None) or role.sees
        prompt = self._size(role.prompt) + (told.opening if view.opening else 0) + told.seen(name, view) + instruction
        reply = self._reply(name, step)
        if prompt + reply > window > reply:
            self.overflow = Overflow(name, told.turns, prompt, reply, window)
            raise Full

    def _reply(self, name: str, step: Turn | None) -> int:
        """Give how many tokens a reply has at most."""
        role = self._subject.pipeline.roles[name]
        bounds = [self._limit, self._subject.number(role.max_tokens), step.max_tokens if step else None]
        return 0 if role.human else min((bound for bound in bounds if bound is not None), default=0)

    def _allowed(self, step: Choose) -> list[str]:
        if isinstance(step.choose, str):
            return list(self._subject.pipeline.roles)
        if isinstance(step.choose, list):
            return step.choose
        return list(dict.fromkeys([*step.choose, *(name for names in step.choose.values() for name in names)]))

    # --- Sizes

    def _times(self, step: Repeat | Parallel) -> int:
        """Give how often something is done at most; once where nobody can tell."""
        if step.for_ is not None or step.in_ is not None:
            items: Any = None
            with suppress(ValueError):
                items = self._subject.worked_out(step.in_, is_expression=True)
            return len(items) if isinstance(items, (list, tuple)) else 1
        number = self._subject.number(step.times) if step.times is not None else 1
        return max(1, self._subject.least(step.times)) if number is None else max(number, 0)

    def _size(self, text: str | None) -> int:
        """Estimate the tokens of a template; what it makes of messages is not counted."""
        if not text:
            return 0
        if text not in self._sizes:
            try:
                whole = as_text(self._subject.worked_out(text))
            except ValueError:
                whole = _TAGS.sub(".", self._subject.source(text))
            self._sizes[text] = -(-len(whole) // CHARACTERS)
        return self._sizes[text]
