"""What a step sees of the conversation it is in, and what it can do there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple, cast

from llm_gc.conversation.blocks import together
from llm_gc.conversation.branch import Branch
from llm_gc.conversation.copies import NARRATOR
from llm_gc.conversation.history import Said
from llm_gc.conversation.moment import Moment
from llm_gc.conversation.picks import pick
from llm_gc.conversation.scenes import play
from llm_gc.conversation.speech import speak
from llm_gc.conversation.stage import Stage, whole_number
from llm_gc.conversation.turn import Ending
from llm_gc.conversation.visit import Visit, VisitKind
from llm_gc.errors import TemplateError
from llm_gc.frozen import FrozenList, freeze
from llm_gc.labels import Labels, key, labels_of
from llm_gc.protocol import Ask, Flow, Inner, Message, Path, Reply, Runnable, Speaker, Speech, Step
from llm_gc.steps.fields import Stop

MAX_STEPS = 10_000
"""So many steps without an ask are an error, not a hang."""


@dataclass(frozen=True)
class Setting:
    """What a scene adds to its stage: what everybody in it reads first, and what ends it (with its place)."""

    stage: Stage
    opening: Callable[[], str]
    stops: tuple[tuple[Path, Stop], ...]


class StepScope(NamedTuple):
    """The scope of one step: the branch it moves, and where it stands. It is the ``Scope`` that steps are given.

    ``place`` is the path with the rounds in it, the front of every ask's id. ``entry`` is the way to the step inside
    this one at which the conversation is begun in the middle (see ``mark.py``), where it is under way.
    """

    setting: Setting
    branch: Branch
    path: Path = ()
    place: str = ""
    round: int | None = None
    mark: str = ""
    entry: tuple[str, ...] = ()

    @property
    def stage(self) -> Stage:
        """What stays the same."""
        return self.setting.stage

    # --- Steps

    def run(self, key: str, steps: Sequence[Runnable]) -> Flow:
        """Run the steps under ``key``, those whose ``when`` holds."""
        first, inside = (int(self.entry[1]), self.entry[2:]) if self.entry else (0, ())
        for index in range(first, len(steps)):
            scope = self.at(key, index, entry=inside if index == first else ())
            if not scope.entry:
                self.branch.mark(scope.place)
            yield from scope.step(steps[index])

    def step(self, step: Runnable) -> Flow:
        """Run one step here, where its ``when`` holds."""
        try:
            if self.entry:  # it is under way; what is done where "when" is false stands under "else"
                yield from (step.otherwise if self.entry[0] == "else" else step.run)(self)
                return
            self._count_step()
            if step.when is None or self.evaluate("when", step.when):
                self.visit("step")
                yield from step.run(self)
            else:
                yield from step.otherwise(self)
        except TemplateError as error:
            if error.pipeline:  # a step inside this one was closer to it
                raise
            raise error.within(self.stage.pipeline.name, self.path) from error

    def at(
        self, key: str, index: int, mark: str = "", *, entry: tuple[str, ...] = (), branch: Branch | None = None
    ) -> StepScope:
        """Give the scope of a step that stands inside this one, perhaps in a branch of its own."""
        place = f"{self.place}{'.' if self.place else ''}{key}{mark or self.mark}.{index}"
        path = (*self.path, key, index)
        return StepScope(self.setting, branch or self.branch, path, place, self.round, entry=entry)

    def rounds(self, times: int | None) -> Generator[StepScope]:
        """Give a scope for each round; the round is part of the ids of what is asked in it."""
        key, tally = f"{self.place} times", self.branch.tallies[0]
        try:
            for number in count(self._entered or 1):
                if times is not None and number > times:
                    break
                if number != self._entered:
                    self.branch.keep(key, (times, None if times is not None else tally.turns))
                    self._count_step()
                yield self._in_round(number)
                if times is None and tally.turns == self.branch.memory[key][1]:
                    break
        finally:
            self.branch.keep(key, None)

    def each(self, name: str, items: Sequence[Any]) -> Generator[StepScope]:
        """Give a scope for each item."""
        key, first = f"{self.place} in", self._entered or 1
        self.branch.keep(key, items)
        try:
            for number, item in enumerate(items[first - 1 :], first):
                if number != self._entered:
                    self._count_step()
                    self.branch.name(name, item)
                yield self._in_round(number)
        finally:
            self.branch.keep(key, None)

    def _in_round(self, number: int) -> StepScope:
        entry = self.entry if number == self._entered else ()
        return StepScope(self.setting, self.branch, self.path, self.place, number, f":{number}", entry)

    @property
    def _entered(self) -> int:
        """The round in which a loop is entered that is under way; 0 where it begins with its first."""
        return int(self.entry[0].partition(":")[2]) if self.entry else 0

    @property
    def _is_entered(self) -> bool:
        """Whether the conversation is begun in the middle, at a step inside this one that was not come to yet."""
        return bool(self.entry) and self.branch.newest is None

    def _kept(self, key: str) -> Any:
        """Give what a loop goes by that is entered in the middle; none elsewhere."""
        return self.branch.memory.get(f"{self.place} {key}") if self._is_entered else None

    def _refuse_anew(self) -> None:
        """Refuse what would be done a second time where a conversation is begun in the middle."""
        if self._is_entered:
            raise AssertionError(f"{self.place} is under way, and does anew what comes before its steps; see Step.run")

    def visit(self, kind: VisitKind, value: Any = None, path: Path | None = None) -> None:
        """Tell whoever wants to know what was come to, here or at ``path``."""
        if self.stage.visit is not None:
            self.stage.visit(Visit(kind, self.path if path is None else path, value))

    # --- Values

    def moment(self, role: str | None = None) -> Moment:
        """Give what templates can see now."""
        self._refuse_anew()
        branch = self.branch
        turn = None if branch.in_block else branch.tallies[0].turns + 1
        return Moment(self.stage, branch.names, branch.history, len(branch.history), self.round, turn, role)

    def evaluate(self, key: str, expression: Any) -> Any:
        """Evaluate an expression as things stand now; what is not text stands for itself."""
        if not isinstance(expression, str):
            return freeze(expression)
        value = self.stage.evaluate(self._at_key(key), expression, self.moment().lookup)
        if key in ("when", "until"):
            self.visit(cast(VisitKind, key), bool(value))
        return value

    def render(self, key: str, template: Any) -> Any:
        """Render a template as things stand now."""
        value = self.stage.render(self._at_key(key), template, self.moment().lookup)
        if key == "by":
            self.visit("by", value)
        return value

    def number(self, key: str, template: Any) -> int:
        """Render a template that must give a whole number, at least 0."""
        if (kept := self._kept(key)) is not None:
            return int(kept[0])
        if isinstance(template, str) and (settled := self.stage.settled(template, self.branch.names)) is not None:
            template = settled
        return whole_number(self.render(key, template), self._at_key(key))

    def items(self, key: str, expression: Any) -> FrozenList:
        """Evaluate an expression that must give a list; none is an empty one."""
        kept = self._kept(key)
        return self._list(key, self.evaluate(key, expression) if kept is None else kept)

    def listed(self, key: str, template: str) -> FrozenList:
        """Render a template that must give a list; none is an empty one."""
        return self._list(key, self.render(key, template))

    def _list(self, key: str, value: Any) -> FrozenList:
        if value is None:
            return FrozenList()
        if not isinstance(value, FrozenList):
            raise TemplateError(f"this gives {value!r}, and a list was expected", path=self._at_key(key))
        return value

    def set(self, name: str, value: Any) -> None:
        """Set a variable."""
        self._refuse_anew()
        self.branch.name(name, value)

    def draw(self, count: int) -> int:
        """Draw a number from the conversation's seed and this place."""
        if self.stage.draw is not None:
            return self.stage.draw(self.place, count)
        digest = hashlib.sha256(f"{self.stage.seed}:{self.place} draw".encode()).digest()
        return int.from_bytes(digest) % count

    # --- Speaking

    def marked(self, text: str, own: Iterable[str], words: Callable[[], str] | None = None) -> str:
        """Return what somebody with these labels says, its lines marked that begin like another participant's label."""
        return self.labels.marked(text, {key(label) for label in own}, words)

    @property
    def labels(self) -> Labels:
        """The labels of all who take part in this scene."""
        return labels_of(self.stage.participants | self.branch.history.labels())

    def ask(self, ask: Ask) -> Generator[Step, Any, Reply]:
        """Yield an ask and give its reply, counted."""
        self.branch.idle = 0
        reply: Reply = yield ask
        for tally in self.branch.tallies:
            tally.tokens += reply.tokens.total + sum(attempt.tokens.total for attempt in reply.attempts)
            tally.seconds += reply.seconds
        return reply

    def check_limits(self) -> None:
        """End the scene, or one around it, where a limit is reached and something more is due."""
        for level, tally in enumerate(self.branch.tallies):
            tally.check(level)

    def speaker(self, role: str) -> Speaker:
        """Give who speaks when this branch lets a role speak."""
        return self.branch.line.speaker(role)

    def speak(self, words: Speech) -> Flow:
        """Let a role speak once."""
        yield from speak(self, words)

    def pick(self, chooser: str, allowed: Sequence[str], fallback: str | None) -> Generator[Any, Any, str | None]:
        """Let a role choose who speaks."""
        return (yield from pick(self, chooser, allowed, fallback))

    def previous(self) -> str | None:
        """Give the role that spoke last in this scene, failed or not."""
        self._refuse_anew()
        said = self.branch.history.said(len(self.branch.history))
        return next((entry.speaker.role for entry in said if entry.speaker.role in self.stage.roles), None)

    def roles(self) -> Sequence[str]:
        """Give all roles."""
        return list(self.stage.roles)

    def post(self, text: str) -> None:
        """Let the narrator say something to everybody."""
        self._refuse_anew()
        if text.strip():
            label, history = NARRATOR.capitalize(), self.branch.history
            heard = self.marked(text, [label], history.words)
            history.add(Said(Speaker(NARRATOR), Message(NARRATOR, label, text, heard=heard), heard))

    def end(self, detail: str, *, failed: bool) -> None:
        """End the scene."""
        raise Ending("end_step", detail, is_failed=failed)

    def together(
        self, key: str, steps: Sequence[Runnable], items: Sequence[Any] | None, name: str | None
    ) -> Generator[Step, Any, list[Message]]:
        """Run steps side by side."""
        self._refuse_anew()
        return (yield from together(self, key, steps, items, name))

    def play(self, inner: Inner) -> Flow:
        """Play a conversation inside this one."""
        yield from play(self, inner)

    def _at_key(self, key: str) -> Path:
        return (*self.path, *key.split("."))

    def _count_step(self) -> None:
        self.branch.idle += 1
        if self.branch.idle > MAX_STEPS:
            words = f"{MAX_STEPS:,} steps were taken here and nobody was asked; the loop has no end"
            raise TemplateError(words, path=self.path)
