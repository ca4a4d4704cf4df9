"""The longest course that a conversation can take, turn by turn: who speaks, with what to answer, in how many tokens.

Every ``when`` holds in it, every loop goes round as often as it may, every reply is as long as it may be. Of two
groups of which one is done both are gone, each from the same beginning, and the longer one counts. What nobody can
tell in advance (an input without a default, what a template makes of messages) counts as nothing: what is said of the
course is true of the longest one at least.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from llm_gc.analysis.context_size import ContextEstimate, Sizes
from llm_gc.analysis.pipeline_facts import PipelineFacts
from llm_gc.language.steps.choose import Choose
from llm_gc.language.steps.do import Do
from llm_gc.language.steps.end import End
from llm_gc.language.steps.parallel import Parallel
from llm_gc.language.steps.post import Post
from llm_gc.language.steps.repeat import Repeat
from llm_gc.language.steps.say import Say, SpeakingStep
from llm_gc.language.steps.scene import Scene
from llm_gc.language.steps.set import Set
from llm_gc.protocol import Path
from llm_gc.values.units import as_tokens

AROUND = 4
"""Tokens around each message: its label, and the marks of the model's own template."""

ASKING = 160
"""Characters in which a role is asked who speaks next, and in which it answers, but for the names to choose from."""

PATIENCE = 3
"""Rounds of a loop that are looked at where only the order matters, not the sizes."""

MOST_TURNS, MOST_VISITS = 1000, 10_000
"""No more turns and steps than that are looked at: the course is worked out while somebody waits."""

UNBOUNDED = 10**15
"""The size of a window that nothing fills."""

NARRATOR = "narrator"


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

    ``is_sure`` tells that no ``when`` is between the beginning and the step.
    """

    role: str
    is_sure: bool
    times: int = 0
    silent: int = 0
    again: int = 0


class BudgetExhausted(Exception):
    """The scene of this ``level`` has as many turns as it may have; if ``is_final``, nothing more can come in it."""

    def __init__(self, level: int = 0, *, is_final: bool = False) -> None:
        """Keep what is full."""
        self.level, self.is_final = level, is_final
        super().__init__(level)


class WorstCase:
    """The course, and what was seen on it: the first ``overflow``, and the ``visits`` of ``say`` steps by path.

    One that ``is_measured`` continues whatever windows are declared. ``peaks`` are the tokens that each role's longest
    prompt and the reply to it have together.
    """

    def __init__(self, subject: PipelineFacts, *, is_measured: bool = False) -> None:
        """Walk it."""
        self._subject, pipeline = subject, subject.pipeline
        self.overflow: Overflow | None = None
        self.visits: dict[Path, Visits] = {}
        self.peaks: dict[str, int] = {}
        self._count = 0
        self._most_turns: list[int] = []
        self._sizes = Sizes(subject)
        self._ways: dict[str, Callable[[Any, Path, ContextEstimate, bool], None]] = {
            "say": self._speak, "choose": self._speak, "do": self._do, "repeat": self._repeat,
            "parallel": self._parallel, "scene": self._scene, "post": self._post, "set": self._set, "end": self._end,
        }  # fmt: skip
        keeps = pipeline.limits.on_overflow == "drop_oldest"
        windows = {name: None if keeps else subject.number(role.num_ctx) for name, role in pipeline.roles.items()}
        self._windows = {name: size for name, size in windows.items() if size is not None}
        if is_measured:
            self._windows = dict.fromkeys(pipeline.roles, UNBOUNDED)
        told = ContextEstimate(self._sizes.of(pipeline.opening))
        most = subject.number(pipeline.limits.max_turns)
        self._within(most, lambda: self._run(pipeline.turns, ("turns",), told, is_sure=True))

    # --- Steps

    def _run(self, steps: Sequence[Any], path: Path, told: ContextEstimate, *, is_sure: bool) -> None:
        for index, step in enumerate(steps):
            self._step(step, (*path, index), told, is_sure=is_sure and step.when is None)

    def _step(self, step: Any, path: Path, told: ContextEstimate, *, is_sure: bool) -> None:
        self._count += 1
        if self._count > MOST_VISITS:
            raise BudgetExhausted(is_final=True)
        holds = self._subject.constant(step.when)
        if holds is not None and not holds and not isinstance(step, Do):
            return
        self._ways[step.kind](step, path, told, is_sure)

    def _post(self, step: Post, _path: Path, told: ContextEstimate, _is_sure: bool) -> None:
        told.say(NARRATOR, self._sizes.of(step.post, told) + AROUND)

    def _set(self, step: Set, _path: Path, told: ContextEstimate, _is_sure: bool) -> None:
        for name, expression in step.set.items():
            told.held[name] = self._sizes.named(expression, told, is_expression=True)

    def _end(self, _step: End, _path: Path, _told: ContextEstimate, is_sure: bool) -> None:
        if is_sure:
            raise BudgetExhausted(len(self._most_turns) - 1, is_final=True)

    def _do(self, step: Do, path: Path, told: ContextEstimate, is_sure: bool) -> None:
        holds = self._subject.constant(step.when)
        is_done, others = holds is None or bool(holds), (step.else_ or []) if not holds else []
        instead = told.copy() if others and is_done else told
        if is_done:
            self._run(step.do, (*path, "do"), told, is_sure=is_sure)
        if others:
            self._run(others, (*path, "else"), instead, is_sure=is_sure)
        if others and is_done:
            told.meet(instead)

    def _repeat(self, step: Repeat, path: Path, told: ContextEstimate, is_sure: bool) -> None:
        rounds, number = self._times(step), 0
        is_open = step.times is None and step.for_ is None
        if not self._windows or is_open:
            rounds = MOST_TURNS if self._windows else PATIENCE if is_open else min(rounds, PATIENCE)
        while number < rounds:
            number, turns, now = number + 1, told.turns, told.now
            earlier = told.copy() if step.until is not None else None
            try:
                self._run(step.repeat, (*path, "repeat"), told, is_sure=is_sure)
            except BudgetExhausted as full:
                if earlier is None or number == 1 or full.is_final or full.level < len(self._most_turns) - 1:
                    raise
                told.become(earlier)  # it may have ended a round before, and left a turn to what comes after it
                return
            if told.now == now or (is_open and told.turns == turns):
                return

    def _parallel(self, step: Parallel, path: Path, told: ContextEstimate, is_sure: bool) -> None:
        copies, base, said, speaking = self._times(step), told.copy(), 0, Counter[str]()
        for index, branch in enumerate(step.parallel if copies else ()):
            way = base.copy()
            self._step(branch, (*path, "parallel", index), way, is_sure=is_sure and branch.when is None)
            told.join(base, way, copies, speaking)
            said += way.newest_size * copies if way.now > base.now else 0
        if copies > 1 or len(step.parallel) > 1:
            told.newest = ""
        if step.as_:
            told.held[step.as_] = said

    def _scene(self, step: Scene, path: Path, told: ContextEstimate, is_sure: bool) -> None:
        name = step.speaker if step.speaker in self._subject.pipeline.roles else "scene"
        if isinstance(step.scene, str):
            told.say(name, (self._subject.most_tokens(None) or 0) + AROUND)
            told.turns += 1
        else:
            steps = step.scene
            inner = ContextEstimate(self._sizes.of(step.opening, told), turns=told.turns, held=dict(told.held))
            most = self._subject.number(step.limits.max_turns) if step.limits else None
            is_set = step.limits is not None and "max_turns" in step.limits.model_fields_set
            self._within(
                told.turns + most if most is not None and is_set else None,
                lambda: self._run(steps, (*path, "scene"), inner, is_sure=is_sure),
            )
            told.turns = inner.turns
            if inner.piles or step.result:
                made = self._sizes.of(step.result, inner) + AROUND
                told.say(name, max([made, *(pile.most for pile in inner.piles.values())]))
        if step.as_:
            told.held[step.as_] = told.newest_size

    def _within(self, most_turns: int | None, go: Callable[[], None]) -> None:
        """Go on inside a scene until it ends."""
        level = len(self._most_turns)
        self._most_turns.append(MOST_TURNS if most_turns is None else most_turns)
        try:
            go()
        except BudgetExhausted as full:
            if full.level < level:
                raise
        finally:
            self._most_turns.pop()

    # --- Speaking

    def _speak(self, step: Say | Choose, path: Path, told: ContextEstimate, is_sure: bool) -> None:
        for level, most in enumerate(self._most_turns):
            if told.turns >= most:
                raise BudgetExhausted(level)
        if isinstance(step, Choose) and step.by in self._subject.pipeline.roles:
            told.instruct(step.by, self._question(step))
            self._fits(step.by, None, told)
        told.turns += 1
        speakers = [step.say] if isinstance(step, Say) else self._allowed(step)
        speakers = [name for name in speakers if name in self._subject.pipeline.roles]
        self._count += len(speakers)
        if not speakers:
            return
        instruction = self._sizes.of(step.instruction, told)
        if isinstance(step, Say) and not self._subject.pipeline.roles[step.say].raw:
            self._visit(step, path, told, is_sure=is_sure and not instruction)
        for name in speakers:
            self._fits(name, step, told, instruction)
        longest = max(speakers, key=lambda name: self._reply(name, step))
        told.instruct(longest, instruction)
        told.say(longest, self._reply(longest, step) + AROUND, is_heard=step.result != "")
        if len(speakers) > 1:
            told.newest = ""
        if step.as_:
            told.held[step.as_] = told.newest_size

    def _visit(self, step: Say, path: Path, told: ContextEstimate, *, is_sure: bool) -> None:
        role, visits = self._subject.pipeline.roles[step.say], self.visits.get(path)
        if visits is None:
            visits = self.visits[path] = Visits(step.say, is_sure)
        view, pile = step.sees or role.sees, told.piles.get(step.say)
        others, own = told.others_at(step.say, view), told.own_at(step.say, view)
        has_read = (view.opening and told.opening) or (pile is not None and pile.told)
        visits.times += 1
        if not self._sizes.of(step.instruction):
            visits.silent += not has_read and not others and not own
            visits.again += own > others

    def _fits(self, name: str, step: SpeakingStep | None, told: ContextEstimate, instruction: int = 0) -> None:
        """Find out whether what a role is sent fits its context window, with the reply."""
        window, role = self._windows.get(name), self._subject.pipeline.roles[name]
        if window is None or role.human:
            return
        view, prompt = (step.sees if step else None) or role.sees, self._sizes.of(role.prompt, told)
        if not role.raw:
            prompt += (told.opening if view.opening else 0) + told.seen(name, view) + instruction
        reply = self._reply(name, step)
        self.peaks[name] = max(prompt + reply, self.peaks.get(name, 0))
        if prompt + reply > window > reply:
            self.overflow = Overflow(name, told.turns, prompt, reply, window)
            raise BudgetExhausted(is_final=True)

    def _reply(self, name: str, step: SpeakingStep | None) -> int:
        """Return how many tokens a reply has at most."""
        role, own = self._subject.pipeline.roles[name], step.max_tokens if step else None
        return 0 if role.human else self._subject.most_tokens(role.max_tokens if own is None else own) or 0

    def _allowed(self, step: Choose) -> list[str]:
        if isinstance(step.choose, str):
            return list(self._subject.pipeline.roles)
        if isinstance(step.choose, list):
            return step.choose
        return list(dict.fromkeys([*step.choose, *(name for names in step.choose.values() for name in names)]))

    def _question(self, step: Choose) -> int:
        """Estimate the tokens in which a role is asked who speaks next, and of its answer."""
        roles = self._subject.pipeline.roles
        lines = (f"- {name}: {roles[name].description or ''}" for name in self._allowed(step) if name in roles)
        return as_tokens(sum(map(len, lines)) + ASKING)

    def _times(self, step: Repeat | Parallel) -> int:
        """Return how often something is done at most; once where nobody can tell."""
        if step.for_ is not None or step.in_ is not None:
            items: Any = None
            with suppress(ValueError):
                items = self._subject.worked_out(step.in_, is_expression=True)
            return len(items) if isinstance(items, (list, tuple)) else 1
        number = self._subject.number(step.times) if step.times is not None else 1
        return max(1, self._subject.least(step.times)) if number is None else max(number, 0)
